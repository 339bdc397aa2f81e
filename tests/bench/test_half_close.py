#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sink answers a client that sends a message and QUIT in one go and closes its half of the connection, as Exim does."""
import socket
import sys

import ringpost
from ringpost import expect_equal

TEXT = b"Subject: last words\r\n\r\nhello\r\n"
ROUNDS = 20


def answers(port, ending):
    """First digits of all replies."""
    with socket.create_connection(("127.0.0.1", port), timeout=ringpost.PATIENCE_S) as s:
        s.sendall(b"EHLO x.example\r\n")
        said = b""
        while b"\n250 " not in said:
            said += s.recv(4096)
        s.sendall(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n" + ending)
        s.shutdown(socket.SHUT_WR)
        said = b""
        while True:
            more = s.recv(4096)
            if not more:
                return [line[:3] for line in said.split(b"\r\n")[:-1]]
            said += more


def by_chunk(rig):
    """The end of input comes while the line for the ledger is under way."""
    sink = rig.bench_sink()
    for _ in range(ROUNDS):
        expect_equal(answers(sink.port, b"BDAT %d LAST\r\n%sQUIT\r\n" % (len(TEXT), TEXT)), [b"250", b"250", b"250", b"221"])
    expect_equal(len(list(ringpost.arrivals(sink.ledger))), ROUNDS)


def without_a_word(rig):
    """No QUIT: what was said is answered all the same."""
    sink = rig.bench_sink()
    for _ in range(ROUNDS):
        expect_equal(answers(sink.port, b"BDAT %d LAST\r\n%s" % (len(TEXT), TEXT)), [b"250", b"250", b"250"])


if __name__ == "__main__":
    sys.exit(ringpost.main(by_chunk, without_a_word))
