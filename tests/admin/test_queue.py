#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an operator does with the queue: looks, holds, releases, retries, deletes."""
import os
import re
import sys

import ringpost
from daemon import NOBODY, ONCE, Daemon
from ringpost import expect, expect_equal, expect_in, wait_until


def queue(d, count=12):
    """So many messages, on both cores."""
    ids = []
    while len(ids) < count or len({m["core"] for m in d.messages()}) < 2:
        n = len(ids)
        ids.append(d.send(f"sender{n % 3}@example.org", [f"a{n}@dest{n % 2}.example"]))
    d.settled()
    return ids


def listing(rig):
    d = Daemon(rig, **ONCE)
    expect_equal(d.ctl("queue").stdout, "The queue is empty.\n")
    ids = queue(d)
    rows = d.messages()
    expect_equal(sorted(m["id"] for m in rows), sorted(ids))
    expect_equal([m["id"] for m in rows], sorted(ids), "the oldest first, from both cores")
    first = rows[0]
    expect_equal((first["from"], first["to"]), ("sender0@example.org", ["a0@dest0.example"]))
    expect_equal((first["recipients"], first["open"]), (1, 1))
    expect_in(1, [m["attempts"] for m in rows], "one at least was tried before the next hop was down")
    expect(first["octets"] > 10, first)
    expect(first["due_ms"] > first["accepted_ms"], first)
    expect(not first["held"], first)

    expect_equal([m["id"] for m in d.messages("--limit", "3")], sorted(ids)[:3])
    expect_equal(d.json("queue", "--limit", "3")[-1]["end"], {"shown": 3, "matching": len(ids)})
    expect_equal(sorted(m["id"] for m in d.messages("--limit", "all")), sorted(ids))
    text = d.ctl("queue", "--limit", "3").stdout
    expect_in(f"3 of {len(ids)} messages, the oldest", text)
    expect_in("<sender0@example.org> to a0@dest0.example", text)
    d.stop()


def filters(rig):
    d = Daemon(rig, **ONCE)
    ids = queue(d)
    d.send("", ["x@sub.dest0.example"])
    two = d.send("Big@Other.Example", ["y@dest0.example", "z@dest1.example"])
    d.settled()
    even = {id for n, id in enumerate(ids) if n % 2 == 0}
    for words, want in [
            (("--domain", "dest0.example"), len(even) + 1),
            (("--domain", "DEST0.example"), len(even) + 1),
            (("--domain", ".dest0.example"), 1),
            (("--domain", "dest0.*"), len(even) + 1),
            (("--domain", "*"), len(ids) + 2),
            (("--domain", "nowhere.example"), 0),
            (("--from", "sender1@example.org"), len(ids[1::3])),
            (("--from", "@example.org"), len(ids)),
            (("--from", "example.org"), len(ids)),
            (("--from", "<>"), 1),
            (("--from", "big@other.example"), 1),
            (("--from", "big@other.example", "--domain", "dest1.example"), 1),
            (("--from", "sender1@example.org", "--domain", "dest1.example"), len(ids[1::6])),
            (("--state", "waiting"), len(ids) + 2),
            (("--state", "held"), 0)]:
        for limit in ((), ("--limit", "1"), ("--limit", "all")):
            end = d.json("queue", *words, *limit)[-1]["end"]
            expect_equal(end["matching"], want, (words, limit))
            expect_equal(end["shown"], min(want, 1) if "1" in limit else want, (words, limit))
    expect_equal(d.ctl("hold", two).returncode, 0)
    expect_equal([m["id"] for m in d.messages("--state", "held")], [two])
    expect_equal(d.json("queue", "--state", "waiting")[-1]["end"]["matching"], len(ids) + 1)
    expect_equal(d.ctl("queue", "--domain", "nowhere.example").stdout, "No message in the queue fits.\n")
    expect_equal(d.ctl("queue", "--domain", "a b").returncode, 2)
    expect_equal(d.ctl("queue", "--state", "lost").returncode, 2)
    expect_equal(d.ctl("queue", "--limit", "0").returncode, 2)
    d.stop()


def show(rig):
    d = Daemon(rig, **ONCE)
    recipients = [f"r{n}@dest.example" for n in range(150)]  # more than one visit tells
    id = d.send("me@example.org", recipients)
    d.settled()
    # Results count at once and are written a moment later.
    wait_until("last words", lambda: d.ctl("--json", "queue", "show", id).stdout.count('"text":') == 150)
    lines = d.json("queue", "show", id)
    message, told = lines[0]["message"], [line["recipient"] for line in lines[1:-1]]
    expect_equal((message["id"], message["from"], message["recipients"]), (id, "me@example.org", 150))
    expect_equal((message["helo"], message["client"]), ("client.example", "127.0.0.1"))
    expect_equal([r["address"] for r in told], recipients)
    for r in told:
        expect_equal(r["state"], "waiting")
        expect_in("refused", r["text"])
        expect(r["due_ms"] > r["last_ms"], r)
    expect_equal({r["attempts"] for r in told} - {0, 1}, set())
    text = d.ctl("queue", "show", id.upper()).stdout
    expect(re.search(r"^message +" + id, text, re.MULTILINE), text)
    expect_in("\nr149@dest.example\n    waiting, ", text)
    gone = d.ctl("queue", "show", NOBODY)
    expect_equal(gone.returncode, 1)
    expect_in("no such message", gone.stderr)
    expect_equal(d.ctl("queue", "show", "x").returncode, 2)
    expect_equal(d.ctl("queue", "show").returncode, 2)
    d.stop()


def hold_and_release(rig):
    d = Daemon(rig, **ONCE)
    held, free = d.send("me@example.org", ["held@dest.example"]), d.send("me@example.org", ["free@dest.example"])
    d.settled()
    expect_equal(d.ctl("hold", held).stdout, "1 message held.\n")
    expect_equal(d.ctl("hold", held).returncode, 0)
    expect_equal(d.status()["held"], 1)
    expect_equal(d.messages("--state", "held")[0]["id"], held)
    d.sink_start()
    # Both are due now; the one that is held stays.
    expect_equal(d.ctl("retry", held, free).returncode, 0)
    wait_until("the free one", lambda: d.received() == ["free@dest.example"])
    d.settled()
    expect_equal([m["id"] for m in d.messages()], [held])
    # Held over a restart.
    d.stop()
    d.start()
    expect_equal([m["id"] for m in d.messages("--state", "held")], [held])
    expect_equal(d.received(), ["free@dest.example"])
    expect_equal(d.ctl("release", held).stdout, "1 message released.\n")
    wait_until("the released one", lambda: "held@dest.example" in d.received())
    wait_until("the queue to be empty", lambda: d.messages() == [])
    d.stop()


def retry(rig):
    d = Daemon(rig, **ONCE)
    ids = queue(d)
    tries = {m["id"]: m["attempts"] for m in d.messages()}
    expect_equal(d.ctl("retry", "--all").stdout, f"{len(ids)} messages due now.\n")
    # The first to fail again tells the others that nobody need be asked; how many were is chance.
    wait_until("another attempt", lambda: sum(m["attempts"] for m in d.messages()) > sum(tries.values()))
    d.settled()
    d.sink_start()
    expect_equal(d.ctl("retry", "--domain", "dest0.example").returncode, 0)
    wait_until("half of them", lambda: len(d.received()) == len(ids[0::2]))
    expect_equal(d.ctl("retry", *ids[1::2]).returncode, 0)
    wait_until("all of them", lambda: len(d.received()) == len(ids))
    expect_equal(sorted(d.received()), sorted(f"a{n}@dest{n % 2}.example" for n in range(len(ids))))
    wait_until("the queue to be empty", lambda: d.messages() == [])
    d.stop()


def delete(rig):
    d = Daemon(rig, **ONCE)
    ids = queue(d)
    done = d.ctl("delete", ids[0], NOBODY)
    expect_equal((done.returncode, done.stdout), (1, "1 message deleted.\n"))
    expect_in(NOBODY, done.stderr)
    expect_equal(d.json("queue")[-1]["end"]["matching"], len(ids) - 1)
    for words in (("--all",), ("--domain", "dest0.example"), (), ("--yes",), (ids[1], "--all")):
        expect_equal(d.ctl("delete", *words).returncode, 2, words)
    expect_equal(d.json("queue")[-1]["end"]["matching"], len(ids) - 1)
    expect_equal(d.ctl("delete", "--domain", "dest0.example", "--yes").returncode, 0)
    expect_equal({m["id"] for m in d.messages()}, set(ids[1::2]))
    expect_equal(d.json("delete", "--all", "--yes"), [{"end": {"done": len(ids[1::2]), "unknown": 0, "failed": 0}}])
    expect_equal(d.messages(), [])
    deleted = d.wait_log("deleted", len(ids))
    expect_equal(len(deleted), len(ids))
    expect_equal(deleted[0]["user"], os.getuid())
    # Deleted for good.
    d.stop()
    d.start()
    expect_equal(d.messages(), [])
    d.stop()


def many_ids(rig):
    """More than one request takes."""
    d = Daemon(rig, **ONCE)
    done = d.ctl("--json", "hold", *[f"01jd{n:022d}" for n in range(2500)])
    expect_equal(done.returncode, 1)
    expect_equal(done.stdout.count('"unknown":{'), 2500)
    d.stop()


if __name__ == "__main__":
    sys.exit(ringpost.main(listing, filters, show, hold_and_release, retry, delete, many_ids))
