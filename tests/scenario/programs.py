# SPDX-License-Identifier: Apache-2.0
"""ringpost as a process, and the next hop as threads of ours."""
import collections
import os
import re
import signal
import socket
import subprocess
import threading

from session import PATIENCE_S, Failure, matches, wait_until


def own_address():
    """An address of loopback that no other run has while this process lives, so ports need no search."""
    pid = os.getpid()
    return "127.%d.%d.%d" % (64 + (pid >> 16 & 63), pid >> 8 & 255, pid & 255)


class Ringpost:
    """The program under test, with everything it writes below one directory."""

    def __init__(self, directory, settings):
        self.directory = directory
        self.settings = dict(settings)
        self.next_hop = None
        self.process = None
        self.reloads = 0

    def address(self):
        return own_address(), 2525

    def cores(self):
        return int(self.settings.get("cores", "2"))

    def write_settings(self):
        values = {
            "hostname": "mx.test",
            "listen": '["%s:%d"]' % self.address(),
            "cores": str(self.cores()),
            "relay_networks": '["127.0.0.1/32"]',
            "accept_domains": '["ours.test", ".sub.ours.test"]',
            "routes": '{"*": "smtp:%s:%d"}' % self.next_hop,
            "spool.directory": "spool",
            "spool.segment_size": "8 MiB",
            "control.socket": "control.sock",
            "log.file": "log",
        }
        values.update(self.settings)
        sections = collections.defaultdict(list)
        for name, value in values.items():
            section, _, key = name.rpartition(".")
            sections[section].append("%s%s: %s" % ("  " if section else "", key, value))
        with open(os.path.join(self.directory, "ringpost.yaml"), "w", encoding="utf-8") as f:
            for section, lines in sorted(sections.items()):
                f.write((section + ":\n" if section else "") + "\n".join(lines) + "\n")

    def start(self, next_hop):
        self.next_hop = next_hop
        self.write_settings()
        program = os.path.join(os.environ["RINGPOST_BIN_DIR"], "ringpost")
        with open(os.path.join(self.directory, "stderr"), "wb") as stderr:
            self.process = subprocess.Popen([program, "--config", "ringpost.yaml"], cwd=self.directory,
                                            stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr)
        self.wait_for_log("event=ready ")

    def read(self, name):
        try:
            with open(os.path.join(self.directory, name), encoding="utf-8", errors="backslashreplace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def last_log(self):
        return "\n".join(self.read("log").splitlines()[-30:] + [self.read("stderr")])

    def wait_for_log(self, pattern):
        def there():
            if any(matches("*" + pattern + "*", line + " ") for line in self.read("log").splitlines()):
                return True
            if not self.running():
                raise Failure("ringpost has ended with %s" % self.process.returncode)
            return False

        wait_until(there, lambda: "no such line in the log: " + pattern)

    def accepted(self):
        """{name of the message: number of its recipients}, as the log has it."""
        return {id: int(count) for id, count in
                re.findall(r"event=accepted id=(\S+) .* recipients=(\d+)", self.read("log"))}

    def reload(self, name, value):
        self.settings[name] = value
        self.write_settings()
        self.reloads += 1
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.read("log").count("event=reloaded ") >= self.reloads * self.cores(),
                   lambda: "the settings are not taken over")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def wait_for_end(self):
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Failure("ringpost does not end") from None
        if code != 0:
            raise Failure("ringpost has ended with %d" % code)

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait()


# --- the next hop

OFFERS = ["PIPELINING", "SIZE", "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"]


def shown(octets):
    """A line of text as N lines write it."""
    text = octets.decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", lambda m: repr(m.group())[1:-1], text)


class Transaction:
    def __init__(self, mail):
        self.mail = mail
        self.recipients = []
        self.text = b""
        self.claimed = False

    def lines(self):
        text = self.text.split(b"\r\n")
        rest = text.pop()
        return ([self.mail] + self.recipients + ["|" + shown(line) for line in text] +
                (["|" + shown(rest) + "\\"] if rest else []))

    def name(self):
        """What ringpost calls the message: it stands in the first field."""
        found = re.match(rb"Received: [^;]* id ([^\s;]+)", self.text)
        return found.group(1).decode() if found else "?"


def fits(patterns, lines):
    """"..." stands for any number of lines, the fewest that will do."""
    at = line = 0
    dots = None  # the last "..." and the first line that it does not cover
    while line < len(lines) or at < len(patterns):
        if at < len(patterns) and patterns[at] == "...":
            dots = at, line
            at += 1
        elif at < len(patterns) and line < len(lines) and matches(patterns[at], lines[line]):
            at += 1
            line += 1
        elif dots and dots[1] < len(lines):
            dots = dots[0], dots[1] + 1
            at, line = dots[0] + 1, dots[1]
        else:
            return False
    return True


class NextHop:
    """Takes what comes and remembers it exactly."""

    def __init__(self, offers, says):
        self.offers = OFFERS if offers is None else offers
        self.says = says
        self.transactions = []
        self.lock = threading.Lock()
        self.listener = socket.create_server((own_address(), 2526), backlog=100)
        threading.Thread(target=self.accept, daemon=True).start()

    def address(self):
        return own_address(), 2526

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        stream = connection.makefile("rwb")
        try:
            self.speak(stream)
        except OSError:
            pass
        finally:
            connection.close()

    def say(self, stream, verb, words):
        stream.write(self.says.get(verb, words).encode() + b"\r\n")
        stream.flush()

    def speak(self, stream):
        transaction = None
        self.say(stream, "GREETING", "220 next.test ESMTP")
        while True:
            line = stream.readline().decode("utf-8", "backslashreplace").rstrip("\r\n")
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                self.say(stream, "EHLO", "\r\n".join(["250-next.test"] + ["250-" + o for o in self.offers] + ["250 HELP"]))
            elif verb == "MAIL":
                transaction = Transaction(line)
                self.say(stream, verb, "250 2.1.0 Ok")
            elif verb == "RCPT":
                if self.says.get(verb, "2")[0] == "2":
                    transaction.recipients.append(line)
                self.say(stream, verb, "250 2.1.5 Ok")
            elif verb == "DATA":
                if not transaction.recipients:
                    self.say(stream, verb, "554 5.5.1 No recipients")
                    continue
                self.say(stream, verb, "354 Go on")
                for text in iter(stream.readline, b".\r\n"):
                    transaction.text += text[1:] if text[:1] == b"." else text
                self.end(transaction)
                self.say(stream, "TEXT", "250 2.0.0 Ok")
            elif verb == "BDAT":
                words = line.split()
                transaction.text += stream.read(int(words[1]))
                if words[-1].upper() == "LAST":
                    self.end(transaction)
                self.say(stream, "TEXT", "250 2.0.0 Ok")
            elif verb == "QUIT":
                self.say(stream, verb, "221 2.0.0 Bye")
                return
            elif verb:
                self.say(stream, verb, "250 2.0.0 Ok")
            else:
                return

    def end(self, transaction):
        if self.says.get("TEXT", "2")[0] == "2":
            with self.lock:
                self.transactions.append(transaction)

    # --- what came

    def recipients(self):
        """{name of the message: how many recipients of it came}"""
        count = collections.Counter()
        with self.lock:
            for t in self.transactions:
                count[t.name()] += len(t.recipients)
        return dict(count)

    def claim(self, patterns):
        def found():
            with self.lock:
                for t in self.transactions:
                    if not t.claimed and fits(patterns, t.lines()):
                        t.claimed = True
                        return True
            return False

        wait_until(found, lambda: "the next hop did not get this; what it got:\n  " + "\n  ".join(self.unclaimed()))

    def unclaimed(self):
        with self.lock:
            return [line for t in self.transactions if not t.claimed for line in t.lines()[:40]]
