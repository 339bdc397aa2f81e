#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A queue that is longer than what fits anywhere: listed, left in the middle, acted on while mail comes in."""
import sys

import ringpost
from daemon import ONCE, Daemon
from ringpost import expect, expect_equal, expect_in, wait_until

COUNT = 4000


def fill(d):
    """Sends so many messages: a process."""
    return d.rig.bench("send", "--to", f"127.0.0.1:{d.port}", "--messages", COUNT, "--sessions", 20, "--size", 1000,
                       "--rcpt", "user%d@dest.example")


def filled(rig):
    d = Daemon(rig, **ONCE)
    expect_equal(fill(d).wait(), 0, "exit status of the sender")
    return d


def listing(rig):
    d = filled(rig)
    d.settled()
    expect_equal(d.status()["messages"], COUNT)
    everything = d.messages("--limit", "all")
    expect_equal(len({m["id"] for m in everything}), COUNT)
    expect_equal(len(everything), COUNT)
    ordered = d.messages("--limit", "1000")
    expect_equal([m["id"] for m in ordered], sorted(m["id"] for m in everything)[:1000])
    expect_equal(d.json("queue", "--domain", "dest.example", "--limit", "1")[-1]["end"]["matching"], COUNT)

    # A client that asks and does not read: others are served, and it finds all lines when it reads at last.
    slow = d.control()
    slow.send({"do": "list", "limit": 0})
    for _ in range(3):
        expect_equal(d.status()["messages"], COUNT)
    lines, last = slow.reply()
    expect_equal((len(lines), last["end"]["shown"]), (COUNT, COUNT))
    # Clients that leave in the middle.
    for read in (0, 1, 50):
        client = d.control()
        client.send({"do": "list", "limit": 0})
        for _ in range(read):
            expect_in("message", client.line())
        client.close()
    expect_equal(slow.ask({"do": "list", "limit": 1})[1]["end"]["matching"], COUNT)
    # One that is still listening when the process ends.
    slow.send({"do": "list", "limit": 0})
    d.stop()
    lines, last = slow.reply()
    expect(len(lines) < COUNT, "all was told before the end")
    expect(last is None or last.get("error") == "stopping", f"last words: {last}")
    slow.close()
    d.stop()


def acts(rig):
    """Acts on all of a queue that grows and shrinks meanwhile, by several operators."""
    d = filled(rig)
    sender = fill(d)
    clients = [d.control() for _ in range(4)]
    for client, request in zip(clients, ({"do": "hold", "all": True}, {"do": "release", "all": True},
                                         {"do": "retry", "domain": "dest.example"}, {"do": "list", "limit": 0})):
        client.send(request)
    for client in clients:
        expect_in("end", client.reply()[1])
    expect_equal(sender.wait(), 0, "exit status of the sender")
    expect_equal(d.status()["messages"], 2 * COUNT)
    expect_equal(clients[0].ask({"do": "hold", "all": True})[1]["end"]["failed"], 0)
    expect_equal(d.status()["held"], 2 * COUNT)
    expect_equal(d.json("queue", "--state", "held", "--limit", "1")[-1]["end"]["matching"], 2 * COUNT)
    for client, request in zip(clients, ({"do": "delete", "all": True}, {"do": "delete", "state": "held"},
                                         {"do": "delete", "domain": "dest.example"},
                                         {"do": "list", "domain": "dest.example"})):
        client.send(request)
    done = [client.reply()[1]["end"] for client in clients]
    expect_equal(sum(end.get("done", 0) for end in done), 2 * COUNT, done)
    wait_until("the queue to be empty", lambda: d.status()["messages"] == 0)
    for client in clients:
        client.close()
    d.stop()


def end_in_the_middle(rig):
    """Told to end with requests under way on all cores: each client hears a last line, and nothing is lost."""
    d = filled(rig)
    for _ in range(4):
        clients = [d.control() for _ in range(6)]
        for client, request in zip(clients, ({"do": "hold", "all": True}, {"do": "release", "domain": "dest.example"},
                                             {"do": "list", "from": "<>"}, {"do": "list", "limit": 10000},
                                             {"do": "status"}, {"do": "reload"})):
            client.send(request)
        d.stop()
        for client in clients:
            _, last = client.reply()
            expect(last is None or "end" in last or last["error"] == "stopping", f"last words: {last}")
            client.close()
        d.start()
        expect_equal(d.status()["messages"], COUNT)
    d.stop()


if __name__ == "__main__":
    sys.exit(ringpost.main(listing, acts, end_in_the_middle))
