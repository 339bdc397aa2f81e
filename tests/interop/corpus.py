#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""P7: real messages, well-formed and not, come out octet for octet behind our trace field; those that break the rules of lines
are refused as stated, and nothing of them comes out.

The messages lie beside the source, in ../shared/mail, and are not ours.  What should become of each is decided here from
RFC 5321, not by asking ringpost.
"""
import os
import re
import sys

import client
import ringpost
import sink
from ringpost import expect, expect_equal

MAIL = os.path.join(os.path.dirname(ringpost.SOURCE), "shared", "mail")
LINE_MAX, HOPS_MAX = 998, 100


def messages():
    """(name, text with CRLF line ends) of each."""
    if not os.path.isdir(MAIL):
        raise ringpost.Skip(f"no messages in {MAIL}")
    found = []
    for directory, _, entries in sorted(os.walk(MAIL)):
        for entry in sorted(entries):
            if entry != "README.md":
                with open(os.path.join(directory, entry), "rb") as file:
                    text = re.sub(rb"\r?\n", b"\r\n", file.read())
                if text:
                    found.append((os.path.relpath(os.path.join(directory, entry), MAIL), text))
    return found


def refusal(text, line_check, binary=False):
    """The enhanced status code it must be refused with; None: it must come through."""
    if not binary:
        if b"\0" in text or re.search(rb"\r(?!\n)|(?<!\r)\n", text):
            return b"5.6.0"
        if line_check and max(map(len, text.split(b"\r\n"))) > LINE_MAX:
            return b"5.6.0"
    header = (b"\r\n" + text).partition(b"\r\n\r\n")[0]
    if len(re.findall(rb"\r\nReceived[ \t]*:", header, re.IGNORECASE)) > HOPS_MAX:
        return b"5.4.6"
    return None


def behind_trace(text):
    field = re.match(rb"Received: .*\r\n(?:[ \t].*\r\n)*", text)
    expect(field, f"no trace field in {text[:200]}")
    return text[field.end():]


# How a text goes in: sizes of BDAT chunks, or DATA.
WAYS = {"DATA": None, "BDAT in one": [], "BDAT in pieces": [1, 77, 1000]}
BINARY_WAYS = {"BDAT in one": [], "BDAT in pieces": [1, 77, 1000]}


def relay(rig, corpus, ways, options, binary=False, **inbound):
    """All messages in all ways, to a next hop that takes BDAT and to one that does not."""
    hops = {"chunks": sink.Sink(rig)}
    if not binary:
        hops["lines"] = sink.Sink(rig, offers=("8BITMIME",))
    mta = rig.ringpost(routes={f"{name}.example.org": f"smtp:127.0.0.1:{hop.port}" for name, hop in hops.items()},
                       inbound={"errors_max": 1000, **inbound},
                       spool={"inline_max": "4 KiB"}).start()  # so that some are large
    owed, refused = {}, 0
    with client.Client(mta.port) as c:
        for name, text in corpus:
            for way, chunks in ways.items():
                # DATA cannot say that the last line has no end.
                given = text if chunks is not None or text.endswith(b"\r\n") else text + b"\r\n"
                wanted = refusal(given, inbound.get("text_line_check", True), binary)
                for hop in hops:
                    to = f"m{len(owed) + refused}@{hop}.example.org"
                    code, reply = c.transaction("a@example.org", [to], given, chunks, options)
                    if wanted:
                        expect_equal((code, reply[:5]), (554, wanted), f"{name} by {way}: {reply}")
                        refused += 1
                    else:
                        expect_equal(code, 250, f"{name} by {way}: {reply}")
                        owed[to] = (f"{name} by {way} to {hop}", hop, given)
    for to, (label, hop, given) in owed.items():
        came = hops[hop].wait(to)
        expect_equal(len(came), 1, f"{label}: copies")
        expect_equal(came[0].how, "BDAT" if hop == "chunks" else "DATA", f"{label}: how it left")
        if came[0].how == "DATA" and not given.endswith(b"\r\n"):
            given += b"\r\n"
        expect(behind_trace(came[0].text) == given, f"{label}: altered")
    mta.stop()
    expect_equal(sum(len(hop.messages) for hop in hops.values()), len(owed), "messages at the next hops")
    expect_equal(mta.waiting(), 0, "messages left")
    return f"{len(corpus)} messages, {len(owed)} times relayed, {refused} times refused"


def lines_checked(rig):
    return relay(rig, messages(), WAYS, ["BODY=8BITMIME"])


def lines_unchecked(rig):
    return relay(rig, messages(), WAYS, ["BODY=8BITMIME"], text_line_check=False)


# What the rules of lines are about, and what a server that is not strict could take for the end of a message
# and a second one behind it.
HEAD, SECOND = b"Subject: made\r\n\r\n", b"MAIL FROM:<x@example.org>\r\nRCPT TO:<y@example.org>\r\nDATA\r\n\r\nsmuggled\r\n"
MADE = {
    "empty line ends": b"\r\n\r\n",
    "no header": b"text\r\n",
    "dots": HEAD + b".\r\n..\r\n.\r\n.x\r\n",
    "longest line": HEAD + b"x" * LINE_MAX + b"\r\n",
    "longest line of dots": HEAD + b"." * LINE_MAX + b"\r\n",
    "line too long": HEAD + b"x" * (LINE_MAX + 1) + b"\r\n",
    "last line too long, no end": HEAD + b"x" * (LINE_MAX + 1),
    "no end": HEAD + b"x",
    "NUL": HEAD + b"a\0b\r\n",
    "bare CR": HEAD + b"a\rb\r\n",
    "bare CR at the end": HEAD + b"a\r",
    "bare LF": HEAD + b"a\nb\r\n",
    "CR CR LF": HEAD + b"a\r\r\nb\r\n",
    "LF . LF": HEAD + b"a\n.\n" + SECOND,
    "LF . CRLF": HEAD + b"a\n.\r\n" + SECOND,
    "CRLF . LF": HEAD + b"a\r\n.\n" + SECOND,
    "CR . CR": HEAD + b"a\r.\r" + SECOND,
    "CRLF . CR": HEAD + b"a\r\n.\r" + SECOND,
    "CR . CRLF": HEAD + b"a\r.\r\n" + SECOND,
    "all octets": HEAD + bytes(range(256)) + b"\r\n",
    "eight bits": HEAD + bytes(range(128, 256)) * 7 + b"\r\n",
    "as many hops as may be": b"Received: x\r\n" * HOPS_MAX + HEAD,
    "a hop too many": b"received : x\r\n" * (HOPS_MAX + 1) + HEAD,
    "hops in the body": HEAD + b"Received: x\r\n" * (HOPS_MAX + 1),
    "large": HEAD + b"0123456789\r\n" * 20000,
}


def made(rig):
    """Messages made to break the rules, or nearly."""
    return relay(rig, list(MADE.items()), WAYS, ["BODY=8BITMIME"])


def made_unchecked(rig):
    return relay(rig, list(MADE.items()), WAYS, ["BODY=8BITMIME"], text_line_check=False)


def made_binary(rig):
    return relay(rig, list(MADE.items()), BINARY_WAYS, ["BODY=BINARYMIME"], binary=True)


def undeclared(rig):
    """As most clients do it: without saying that there are eight bits."""
    return relay(rig, messages(), {"DATA": None}, [])


def binary(rig):
    """Declared as binary nothing is wrong with any line."""
    return relay(rig, messages(), BINARY_WAYS, ["BODY=BINARYMIME"], binary=True)


if __name__ == "__main__":
    sys.exit(ringpost.main(made, made_unchecked, made_binary, lines_checked, lines_unchecked, undeclared, binary))
