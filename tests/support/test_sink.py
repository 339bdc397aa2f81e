#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tests' own client and next hop against one another: what goes in must come out, or no other test can be believed."""
import sys

import client
import ringpost
import sink

TEXTS = {
    "plain": b"Subject: x\r\n\r\nbody\r\n",
    "a dot alone": b"Subject: x\r\n\r\n.\r\n..\r\n.x\r\n",
    "a dot first": b".\r\n",
    "only line ends": b"\r\n\r\n\r\n",
    "a bare LF and a dot": b"Subject: x\r\n\r\na\n.\nb\r\n",
    "eight bits and NUL": bytes(range(256)) + b"\r\n",
}


def texts(rig):
    hop = sink.Sink(rig)
    with client.Client(hop.port) as c:
        for chunks in (None, [], [1], [3, 3, 100]):
            for label, text in TEXTS.items():
                ringpost.expect_equal(c.transaction("a@example.org", ["b@example.org"], text, chunks)[0], 250, label)
                ringpost.expect_equal(hop.messages[-1].text, text, f"{label}, chunks {chunks}")


def no_last_line_end(rig):
    """DATA cannot send such a text, BDAT can."""
    hop = sink.Sink(rig)
    with client.Client(hop.port) as c:
        for chunks, wanted in ((None, b"a\r\n"), ([], b"a")):
            c.transaction("a@example.org", ["b@example.org"], b"a", chunks)
            ringpost.expect_equal(hop.messages[-1].text, wanted, f"chunks {chunks}")


def refusals(rig):
    def answer(verb, rest):
        return {"RCPT": "550 5.1.1 no" if "nobody" in rest else None, ".": "452 4.3.1 full" if refusing else None}.get(verb)

    refusing = False
    hop = sink.Sink(rig, answer=answer)
    with client.Client(hop.port) as c:
        ringpost.expect_equal(c.transaction("a@x.org", ["nobody@x.org"], b"a\r\n")[0], 550, "recipient")
        ringpost.expect_equal(c.transaction("a@x.org", ["nobody@x.org", "b@x.org"], b"a\r\n")[0], 250, "one of two")
        ringpost.expect_equal(hop.messages[-1].recipients, ["b@x.org"], "recipients")
        refusing = True
        ringpost.expect_equal(c.transaction("a@x.org", ["b@x.org"], b"a\r\n")[0], 452, "text")
        ringpost.expect_equal(len(hop.messages), 1, "messages kept")


if __name__ == "__main__":
    sys.exit(ringpost.main(texts, no_last_line_end, refusals))
