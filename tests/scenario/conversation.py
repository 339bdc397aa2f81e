# SPDX-License-Identifier: Apache-2.0
"""Reads a conversation; run.py says what its lines mean."""
import re


class Step:
    """One thing to do: kind, the line it stands in, and what belongs to the kind."""

    def __init__(self, kind, line, **more):
        self.kind = kind
        self.line = line
        self.__dict__.update(more)


ESCAPES = {"r": b"\r", "n": b"\n", "0": b"\0", "t": b"\t", "\\": b"\\"}
ACTS = {"(half-closes)": "half_close", "(hangs up)": "hang_up", "(resets)": "reset"}


def unescape(text):
    """Octets of a B line."""
    out, at = b"", 0
    while at < len(text):
        if text[at] != "\\":
            out += text[at].encode()
            at += 1
        elif text[at + 1:at + 2] == "x":
            out += bytes.fromhex(text[at + 2:at + 4])
            at += 4
        else:
            out += ESCAPES[text[at + 1:at + 2]]
            at += 2
    return out


class Conversation:
    """steps, settings ({name: value}), and what is said of the next hop."""

    def __init__(self, path):
        self.path = path
        self.settings = {}
        self.offers = None
        self.next_hop_says = {}
        self.ledger_open = False
        self.cut = False
        self.steps = []
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                try:
                    self.take(line.rstrip("\n"), number)
                except (ValueError, KeyError, IndexError) as e:
                    raise AssertionError(f"{path}:{number}: {line.strip()}: {e}") from e

    def take(self, line, number):
        if not line or line.startswith("#"):
            return
        dialogue = re.match(r"([CBSNL])(\*\d+|\+)?:(?: (.*))?$", line)
        if dialogue:
            self.speak(dialogue.group(1), dialogue.group(2), dialogue.group(3) or "", number)
        else:
            self.direct(line, number)

    def direct(self, line, number):
        word, _, rest = line.partition(": ")
        session = re.fullmatch(r"session (\S+)(?: from (\S+))?", line)
        if word.startswith("set "):
            self.settings[word[4:]] = rest
        elif word.startswith("reload "):
            self.steps.append(Step("reload", number, name=word[7:], value=rest))
        elif word == "next hop offers":
            self.offers = rest.split()
        elif word == "next hop says":
            verb, reply = rest.split(" ", 1)
            self.next_hop_says[verb] = reply
        elif line == "ledger: open":
            self.ledger_open = True
        elif line == "cut: everywhere":
            self.cut = True
        elif line in ("flush", "stop", "stopped"):
            self.steps.append(Step(line, number))
        elif session:
            self.steps.append(Step("session", number, name=session.group(1), source=session.group(2) or "127.0.0.1"))
        else:
            raise ValueError("not understood")

    def speak(self, who, how, text, number):
        times = int(how[1:]) if how and how[0] == "*" else 0
        texts = [text.replace("%d", str(i)) for i in range(1, times + 1)] if times else [text]
        if who in "CBS" and not any(s.kind == "session" for s in self.steps):
            self.steps.append(Step("session", number, name="client", source="127.0.0.1"))
        if who == "C" and text in ACTS:
            self.steps.append(Step("act", number, name=ACTS[text]))
        elif who == "C":
            self.send(b"".join(t.encode() + b"\r\n" for t in texts), number)
        elif who == "B":
            self.send(b"".join(unescape(t) for t in texts), number)
        elif who == "S":
            self.steps.append(Step("hear", number, patterns=texts, whole=how == "+", closed=text == "(closed)"))
        elif who == "L":
            self.steps.append(Step("log", number, pattern=text))
        elif self.steps and self.steps[-1].kind == "next hop" and not text.startswith("MAIL "):
            self.steps[-1].patterns.append(text)
        else:
            self.steps.append(Step("next hop", number, patterns=[text]))

    def send(self, octets, number):
        if self.steps[-1].kind == "send":
            self.steps[-1].octets += octets
        else:
            self.steps.append(Step("send", number, octets=octets))
