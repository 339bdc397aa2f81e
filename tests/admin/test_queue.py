#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an operator does with the queue: looks, holds, releases, retries, deletes."""
import os
import re
import unittest

from daemon import Daemon, wait_for

NOBODY = "01jd0000000000000000000000"


class Queue(unittest.TestCase):
    def setUp(self):
        # Nothing is tried a second time unless the operator says so.
        self.daemon = Daemon(more="outbound: {down_pause: 1 h}\nretry: {first: 1 h}\n")
        self.addCleanup(self.daemon.close)

    def queue(self, count=12):
        """So many messages, on both cores."""
        ids = []
        while len(ids) < count or len({m["core"] for m in self.daemon.messages()}) < 2:
            n = len(ids)
            ids.append(self.daemon.send(f"sender{n % 3}@example.org", [f"a{n}@dest{n % 2}.example"]))
        self.daemon.settled()
        return ids

    def test_list(self):
        d = self.daemon
        self.assertEqual(d.ctl("queue").stdout, "The queue is empty.\n")
        ids = self.queue()
        rows = d.messages()
        self.assertEqual(sorted(m["id"] for m in rows), sorted(ids))
        self.assertEqual([m["id"] for m in rows], sorted(ids), "the oldest first, from both cores")
        first = rows[0]
        self.assertEqual((first["from"], first["to"]), ("sender0@example.org", ["a0@dest0.example"]))
        self.assertEqual((first["recipients"], first["open"]), (1, 1))
        self.assertIn(1, [m["attempts"] for m in rows], "one at least was tried before the next hop was down")
        self.assertGreater(first["octets"], 10)
        self.assertGreater(first["due_ms"], first["accepted_ms"])
        self.assertFalse(first["held"])

        self.assertEqual([m["id"] for m in d.messages("--limit", "3")], sorted(ids)[:3])
        self.assertEqual(d.json("queue", "--limit", "3")[-1]["end"], {"shown": 3, "matching": len(ids)})
        self.assertEqual(sorted(m["id"] for m in d.messages("--limit", "all")), sorted(ids))
        text = d.ctl("queue", "--limit", "3").stdout
        self.assertIn(f"3 of {len(ids)} messages, the oldest", text)
        self.assertIn("<sender0@example.org> to a0@dest0.example", text)

    def test_filters(self):
        d = self.daemon
        ids = self.queue()
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
                self.assertEqual(end["matching"], want, (words, limit))
                self.assertEqual(end["shown"], min(want, 1) if "1" in limit else want, (words, limit))
        self.assertEqual(d.ctl("hold", two).returncode, 0)
        self.assertEqual([m["id"] for m in d.messages("--state", "held")], [two])
        self.assertEqual(d.json("queue", "--state", "waiting")[-1]["end"]["matching"], len(ids) + 1)
        self.assertEqual(d.ctl("queue", "--domain", "nowhere.example").stdout, "No message in the queue fits.\n")
        self.assertEqual(d.ctl("queue", "--domain", "a b").returncode, 2)
        self.assertEqual(d.ctl("queue", "--state", "lost").returncode, 2)
        self.assertEqual(d.ctl("queue", "--limit", "0").returncode, 2)

    def test_show(self):
        d = self.daemon
        recipients = [f"r{n}@dest.example" for n in range(150)]  # more than one visit tells
        id = d.send("me@example.org", recipients)
        d.settled()
        # Results count at once and are written a moment later.
        wait_for("last words", lambda: d.ctl("--json", "queue", "show", id).stdout.count('"text":') == 150)
        lines = d.json("queue", "show", id)
        message, told = lines[0]["message"], [line["recipient"] for line in lines[1:-1]]
        self.assertEqual((message["id"], message["from"], message["recipients"]), (id, "me@example.org", 150))
        self.assertEqual((message["helo"], message["client"]), ("client.example", "127.0.0.1"))
        self.assertEqual([r["address"] for r in told], recipients)
        for r in told:
            self.assertEqual(r["state"], "waiting")
            self.assertIn("refused", r["text"])
            self.assertGreater(r["due_ms"], r["last_ms"])
        self.assertEqual({r["attempts"] for r in told} - {0, 1}, set())
        text = d.ctl("queue", "show", id.upper()).stdout
        self.assertRegex(text, re.compile(r"^message +" + id, re.M))
        self.assertIn("\nr149@dest.example\n    waiting, ", text)
        gone = d.ctl("queue", "show", NOBODY)
        self.assertEqual(gone.returncode, 1)
        self.assertIn("no such message", gone.stderr)
        self.assertEqual(d.ctl("queue", "show", "x").returncode, 2)
        self.assertEqual(d.ctl("queue", "show").returncode, 2)

    def test_hold_and_release(self):
        d = self.daemon
        held, free = d.send("me@example.org", ["held@dest.example"]), d.send("me@example.org", ["free@dest.example"])
        d.settled()
        self.assertEqual(d.ctl("hold", held).stdout, "1 message held.\n")
        self.assertEqual(d.ctl("hold", held).returncode, 0)
        self.assertEqual(d.status()["held"], 1)
        self.assertEqual(d.messages("--state", "held")[0]["id"], held)
        d.sink_start()
        # Both are due now; the one that is held stays.
        self.assertEqual(d.ctl("retry", held, free).returncode, 0)
        wait_for("the free one", lambda: d.received() == ["free@dest.example"])
        d.settled()
        self.assertEqual([m["id"] for m in d.messages()], [held])
        # Held over a restart.
        self.assertEqual(d.stop(), 0)
        d.start()
        d.sink_start()
        self.assertEqual([m["id"] for m in d.messages("--state", "held")], [held])
        self.assertEqual(d.received(), ["free@dest.example"])
        self.assertEqual(d.ctl("release", held).stdout, "1 message released.\n")
        wait_for("the released one", lambda: "held@dest.example" in d.received())
        wait_for("the queue to be empty", lambda: d.messages() == [])

    def test_retry(self):
        d = self.daemon
        ids = self.queue()
        tries = {m["id"]: m["attempts"] for m in d.messages()}
        self.assertEqual(d.ctl("retry", "--all").stdout, f"{len(ids)} messages due now.\n")
        # The first to fail again tells the others that nobody need be asked; how many were is chance.
        wait_for("another attempt", lambda: sum(m["attempts"] for m in d.messages()) > sum(tries.values()))
        d.settled()
        d.sink_start()
        self.assertEqual(d.ctl("retry", "--domain", "dest0.example").returncode, 0)
        wait_for("half of them", lambda: len(d.received()) == len(ids[0::2]))
        self.assertEqual(d.ctl("retry", *ids[1::2]).returncode, 0)
        wait_for("all of them", lambda: len(d.received()) == len(ids))
        self.assertEqual(sorted(d.received()), sorted(f"a{n}@dest{n % 2}.example" for n in range(len(ids))))
        wait_for("the queue to be empty", lambda: d.messages() == [])

    def test_delete(self):
        d = self.daemon
        ids = self.queue()
        done = d.ctl("delete", ids[0], NOBODY)
        self.assertEqual((done.returncode, done.stdout), (1, "1 message deleted.\n"))
        self.assertIn(NOBODY, done.stderr)
        self.assertEqual(d.json("queue")[-1]["end"]["matching"], len(ids) - 1)
        for words in (("--all",), ("--domain", "dest0.example"), (), ("--yes",), (ids[1], "--all")):
            self.assertEqual(d.ctl("delete", *words).returncode, 2, words)
        self.assertEqual(d.json("queue")[-1]["end"]["matching"], len(ids) - 1)
        self.assertEqual(d.ctl("delete", "--domain", "dest0.example", "--yes").returncode, 0)
        self.assertEqual({m["id"] for m in d.messages()}, set(ids[1::2]))
        self.assertEqual(d.json("delete", "--all", "--yes"), [{"end": {"done": len(ids[1::2]), "unknown": 0, "failed": 0}}])
        self.assertEqual(d.messages(), [])
        with open(d.log, encoding="utf-8") as log:
            deleted = [line for line in log if "event=deleted" in line]
        self.assertEqual(len(deleted), len(ids))
        self.assertIn(f"user={os.getuid()}", deleted[0])
        # Deleted for good.
        self.assertEqual(d.stop(), 0)
        d.start()
        self.assertEqual(d.messages(), [])

    def test_many_ids(self):
        """More than one request takes."""
        done = self.daemon.ctl("--json", "hold", *[f"01jd{n:022d}" for n in range(2500)])
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.count('"unknown":{'), 2500)


if __name__ == "__main__":
    unittest.main(verbosity=2)
