#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ringpost between Postfix's load tools, and with a whole Postfix as next hop and as client."""
import os
import re
import sys

import client
import postfix_instance
import ringpost
import sink
from ringpost import expect, expect_equal, wait_until

MESSAGES = 300


def through(rig, source_words=(), sink_words=()):
    dump = rig.path("dump")
    os.mkdir(dump)
    port = rig.port()
    # As root it wants to be told whom to become.
    become = ["-u", "root"] if os.geteuid() == 0 else []
    postfix_instance.tool(rig, "smtp-sink", *become, "-d", dump + "/m.", *sink_words, f"127.0.0.1:{port}", 100)
    wait_until("smtp-sink to answer", lambda: ringpost.port_answers(port))
    mta = rig.ringpost(routes={"*": f"smtp:127.0.0.1:{port}"}).start()
    source = postfix_instance.tool(rig, "smtp-source", "-m", MESSAGES, "-l", 5000, "-f", "a@example.org",
                                   "-t", "b@example.org", *source_words, f"127.0.0.1:{mta.port}")
    expect_equal(source.wait(), 0, f"exit status of smtp-source; {source.err()}")
    mta.wait_log("delivered", MESSAGES)
    mta.stop()
    # A connection that only asks leaves a file too, without a message.
    ids = [name for entry in os.listdir(dump)
           for name in re.findall("^Message-Id: (.*)$", ringpost.read_text(os.path.join(dump, entry)), re.MULTILINE)]
    expect_equal(len(ids), MESSAGES, "messages at smtp-sink")
    expect_equal(len(set(ids)), MESSAGES, "different messages at smtp-sink")
    expect_equal(mta.waiting(), 0, "messages left")


def smtp_source_to_smtp_sink(rig):
    through(rig, ["-s", 10])


def one_session(rig):
    """No hang-up between messages; a next hop without PIPELINING."""
    through(rig, ["-s", 1, "-d"], ["-p"])


def without_esmtp(rig):
    """A next hop that knows HELO only."""
    through(rig, ["-s", 10], ["-e"])


TEXTS = {
    "plain": b"Subject: plain\r\nFrom: a@example.org\r\n\r\nbody\r\n",
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n. \r\n\r\n",
    "eight bits": "Subject: acht\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n".encode(),
    "large": b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 80000,
    "long lines": b"Subject: long\r\n\r\n" + b"\r\n".join(b"x" * 998 for _ in range(500)) + b"\r\n",
}


def next_hop(rig):
    """ringpost -> Postfix -> ringpost -> a sink that keeps every octet."""
    end = sink.Sink(rig)
    last = rig.ringpost("last", routes={"*": f"smtp:127.0.0.1:{end.port}"}).start()
    postfix = postfix_instance.Postfix(rig, last.port, {"nobody@example.org": "550 5.1.1 no such user"})
    first = rig.ringpost("first", routes={"example.org": f"smtp:127.0.0.1:{postfix.port}",
                                          "sender.example.org": f"smtp:127.0.0.1:{end.port}"},
                         spool={"inline_max": "64 KiB"}).start()
    sent = {}
    with client.Client(first.port) as c:
        for label, text in TEXTS.items():
            for chunks in (None, [1000]):
                text += b"".join(b"%06d\r\n" % (i * i) for i in range(len(sent)))
                to = f"user{len(sent)}@example.org"
                sent[to] = text
                reply = c.transaction("a@sender.example.org", [to], text, chunks, ["BODY=8BITMIME"])
                expect_equal(reply[0], 250, f"{label}: {reply}")
        reply = c.transaction("a@sender.example.org", ["nobody@example.org"], TEXTS["plain"])
        expect_equal(reply[0], 250, f"to nobody: {reply}")
    for to, text in sent.items():
        came = end.wait(to)[0]
        expect(came.text.endswith(b"\r\n" + text), f"{to}: altered on the way")
        expect_equal(came.text[:-len(text)].count(b"Received: "), 3, f"{to}: trace fields")
        expect_equal(came.sender, "a@sender.example.org", to)
    report = end.wait("a@sender.example.org")[0]
    expect_equal(report.sender, "", "sender of the report")
    for part in (b"Final-Recipient: rfc822;nobody@example.org", b"Action: failed", b"Status: 5.1.1", b"no such user"):
        expect(part.lower().replace(b" ", b"") in report.text.lower().replace(b" ", b""), f"no {part} in {report.text}")
    for mta in (first, last):
        mta.stop()
        expect_equal(mta.waiting(), 0, f"messages left at {mta.name}")


if __name__ == "__main__":
    sys.exit(ringpost.main(smtp_source_to_smtp_sink, one_session, without_esmtp, next_hop))
