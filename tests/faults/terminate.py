#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: an end in order loses nothing, delivers nothing twice, and comes in time whatever peers do."""
import signal
import socket
import sys

import client
import ringpost
import sink
from ringpost import expect, expect_equal, wait_until

ROUNDS = 50 if ringpost.LONG else 5
LOAD_MAX = 3000


def under_load(rig):
    hop = rig.bench_sink()
    mta = rig.ringpost(routes={"*": f"smtp:127.0.0.1:{hop.port}"}, spool={"inline_max": "64 KiB"}).start()
    sent = rig.path("sent.ledger")
    senders = [rig.bench("send", "--to", f"127.0.0.1:{mta.port}", "--seconds", 100000, "--wait-retry", ringpost.PATIENCE_S,
                         "--ledger", sent, *words, name=name)
               for name, words in {"small": ["--sessions", 10, "--recipients", 3, "--pool", 30, "--pipelining", "overlap"],
                                   "large": ["--sessions", 2, "--size", 300000, "--bdat"]}.items()]
    chance = ringpost.chance()
    for _ in range(ROUNDS):
        load = ringpost.count_lines(sent) + chance.randrange(1, LOAD_MAX)
        mta.await_(lambda: ringpost.count_lines(sent) >= load, f"to answer {load} messages")
        mta.stop()
        mta.start()
    for sender in senders:
        sender.send(signal.SIGINT)
    for sender in senders:
        expect(sender.wait() in (0, 1), f"{sender.name} did not end well")
    wait_until("all to arrive", lambda: rig.balance(sent, hop.ledger)["missing"] == 0)
    mta.stop()
    expect_equal(mta.waiting(), 0, "messages left")
    hop.stop()
    account = rig.balance(sent, hop.ledger)
    # Whoever heard no answer may send again, so nothing of that may have been taken.
    for sort in ("missing", "forbidden", "altered", "broken", "strangers", "duplicates", "unknown_arrived"):
        expect_equal(account[sort], 0, f"{sort}; {account}")
    return f"{ROUNDS} times, {account['accepted']} messages accepted"


def open_text(mta):
    """A session in the middle of a message."""
    s = socket.create_connection(("127.0.0.1", mta.port), timeout=ringpost.PATIENCE_S)
    answers = s.makefile("rb")
    for command, code in ((b"", b"220"), (b"HELO client.example.org\r\n", b"250"), (b"MAIL FROM:<a@example.org>\r\n", b"250"),
                          (b"RCPT TO:<b@example.org>\r\n", b"250"), (b"DATA\r\n", b"354")):
        s.sendall(command)
        expect_equal(answers.readline()[:3], code, f"reply to {command}")
    s.sendall(b"Subject: x\r\n\r\nhalf of")
    return s, answers


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=ringpost.PATIENCE_S).close()
    except ConnectionRefusedError:
        return True
    return False


def transaction_in_hand(rig):
    """A message that is coming may come to its end, an idle session may not stay."""
    hop = sink.Sink(rig)
    mta = rig.ringpost(routes={"*": f"smtp:127.0.0.1:{hop.port}"}, shutdown_deadline="1 h").start()
    s, answers = open_text(mta)
    with socket.create_connection(("127.0.0.1", mta.port), timeout=ringpost.PATIENCE_S) as idle:
        heard = idle.makefile("rb")
        expect_equal(heard.readline()[:3], b"220", "greeting")
        mta.process.send(signal.SIGTERM)
        expect_equal(heard.readline()[:10], b"421 4.3.2 ", "last words to an idle session")
        expect_equal(heard.read(), b"", "after the last words")
    # Nobody is kept waiting in a queue that is not served any more.
    wait_until("connections to be refused", lambda: refuses(mta.port))
    expect(mta.process.running(), "it did not wait for the message in hand")
    s.sendall(b" a message\r\n.\r\n")
    expect_equal(answers.readline()[:3], b"250", "reply to the message in hand")
    expect_equal(mta.process.wait(), 0, "exit status")
    s.close()
    # Delivered before the end or after the next start, once.
    mta.start()
    expect_equal(hop.wait("b@example.org")[0].text[-15:], b"half of a message\r\n"[-15:], "text")
    mta.stop()
    expect_equal(mta.waiting(), 0, "messages left")
    expect_equal(len(hop.messages), 1, "copies")


def deadline(rig):
    """shutdown_deadline ends what does not end."""
    mta = rig.ringpost(shutdown_deadline="1 s").start()
    s, answers = open_text(mta)
    mta.stop()
    expect_equal(answers.read(4), b"421 ", "last words")
    s.close()
    expect_equal(mta.waiting(), 0, "messages left")


def second_signal(rig):
    """Who cannot wait says so twice."""
    mta = rig.ringpost(shutdown_deadline="1 h").start()
    s, _ = open_text(mta)
    mta.process.send(signal.SIGTERM)
    mta.wait_log("stopping", 2)
    expect(mta.process.running(), "it did not wait for the message in hand")
    expect_equal(mta.process.stop(signal.SIGTERM), 128 + signal.SIGTERM, "exit status")
    s.close()
    expect_equal(mta.waiting(), 0, "messages left")


def next_hop_hangs(rig):
    """A next hop that does not answer does not hold up the end."""
    port = rig.port()
    with socket.create_server(("127.0.0.1", port)):
        mta = rig.ringpost(routes={"*": f"smtp:127.0.0.1:{port}"}, shutdown_deadline="1 s").start()
        with client.Client(mta.port) as c:
            expect_equal(c.transaction("a@example.org", ["b@example.org"], b"Subject: x\r\n\r\n")[0], 250, "mail")
        mta.stop()
        expect_equal(mta.waiting(), 1, "messages left")


if __name__ == "__main__":
    sys.exit(ringpost.main(under_load, transaction_in_hand, deadline, second_signal, next_hop_hangs))
