#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A queue that is longer than what fits anywhere: listed, left in the middle, acted on while mail comes in."""
import subprocess
import threading
import unittest

from daemon import BIN, PATIENCE_S, Daemon, wait_for

COUNT = 4000


class Many(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(more="outbound: {down_pause: 1 h}\nretry: {first: 1 h}\n")
        self.addCleanup(self.daemon.close)
        self.send(COUNT)

    def send(self, count):
        subprocess.run([f"{BIN}/ringpost-bench", "send", "--to", f"127.0.0.1:{self.daemon.port}", "--messages", str(count),
                        "--sessions", "20", "--size", "1000", "--rcpt", "user%d@dest.example"],
                       stdout=subprocess.DEVNULL, timeout=PATIENCE_S, check=True)

    def test_listing(self):
        d = self.daemon
        d.settled()
        self.assertEqual(d.status()["messages"], COUNT)
        everything = d.messages("--limit", "all")
        self.assertEqual(len({m["id"] for m in everything}), COUNT)
        self.assertEqual(len(everything), COUNT)
        ordered = d.messages("--limit", "1000")
        self.assertEqual([m["id"] for m in ordered], sorted(m["id"] for m in everything)[:1000])
        self.assertEqual(d.json("queue", "--domain", "dest.example", "--limit", "1")[-1]["end"]["matching"], COUNT)

        # A client that asks and does not read: others are served, and it finds all lines when it reads at last.
        slow = d.client()
        slow.send({"do": "list", "limit": 0})
        for _ in range(3):
            self.assertEqual(d.status()["messages"], COUNT)
        lines, last = slow.reply()
        self.assertEqual((len(lines), last["end"]["shown"]), (COUNT, COUNT))
        # Clients that leave in the middle.
        for read in (0, 1, 50):
            client = d.client()
            client.send({"do": "list", "limit": 0})
            for _ in range(read):
                self.assertIn("message", client.line())
            client.close()
        self.assertEqual(slow.ask({"do": "list", "limit": 1})[1]["end"]["matching"], COUNT)
        # One that is still listening when the process ends.
        slow.send({"do": "list", "limit": 0})
        self.assertEqual(d.stop(), 0)
        lines, last = slow.reply()
        self.assertLess(len(lines), COUNT)
        self.assertTrue(last is None or last.get("error") == "stopping", last)
        slow.close()

    def test_acts(self):
        """Acts on all of a queue that grows and shrinks meanwhile, by several operators."""
        d = self.daemon
        sender = threading.Thread(target=self.send, args=(COUNT,))
        sender.start()
        clients = [d.client() for _ in range(4)]
        for client, request in zip(clients, ({"do": "hold", "all": True}, {"do": "release", "all": True},
                                             {"do": "retry", "domain": "dest.example"}, {"do": "list", "limit": 0})):
            client.send(request)
        for client in clients:
            self.assertIn("end", client.reply()[1])
        sender.join()
        self.assertEqual(d.status()["messages"], 2 * COUNT)
        self.assertEqual(clients[0].ask({"do": "hold", "all": True})[1]["end"]["failed"], 0)
        self.assertEqual(d.status()["held"], 2 * COUNT)
        self.assertEqual(d.json("queue", "--state", "held", "--limit", "1")[-1]["end"]["matching"], 2 * COUNT)
        for client, request in zip(clients, ({"do": "delete", "all": True}, {"do": "delete", "state": "held"},
                                             {"do": "delete", "domain": "dest.example"},
                                             {"do": "list", "domain": "dest.example"})):
            client.send(request)
        done = [client.reply()[1]["end"] for client in clients]
        self.assertEqual(sum(end.get("done", 0) for end in done), 2 * COUNT, done)
        wait_for("the queue to be empty", lambda: d.status()["messages"] == 0)
        for client in clients:
            client.close()

    def test_end_in_the_middle(self):
        """Told to end with requests under way on all cores: each client hears a last line, and nothing is lost."""
        d = self.daemon
        for _ in range(4):
            clients = [d.client() for _ in range(6)]
            for client, request in zip(clients, ({"do": "hold", "all": True}, {"do": "release", "domain": "dest.example"},
                                                 {"do": "list", "from": "<>"}, {"do": "list", "limit": 10000},
                                                 {"do": "status"}, {"do": "reload"})):
                client.send(request)
            self.assertEqual(d.stop(), 0)
            for client in clients:
                _, last = client.reply()
                self.assertTrue(last is None or "end" in last or last["error"] == "stopping", last)
                client.close()
            d.start()
            self.assertEqual(d.status()["messages"], COUNT)


if __name__ == "__main__":
    unittest.main(verbosity=2)
