#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The control socket as programs meet it: what it answers to nonsense, and that it outlives those who send it."""
import json
import socket
import unittest

from daemon import Daemon, wait_for

NOBODY = "01jd0000000000000000000000"


class Protocol(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.close)

    def setUp(self):
        self.client = self.daemon.client()
        self.addCleanup(self.client.close)

    def works(self):
        self.assertIn("status", self.client.ask({"do": "status"})[0][0])

    def test_hello(self):
        self.assertEqual(self.client.hello["hello"]["protocol"], 1)
        self.assertEqual(self.client.hello["hello"]["name"], "ringpost")
        self.works()

    def test_wrong_requests(self):
        """Each is an error that says why, and the connection goes on."""
        for request in [
                b"status\n", b"{\n", b"[]\n", b'"status"\n', b"{}\n", b'{"do": 1}\n', b'{"do": null}\n',
                b'{"do": "status"} {"do": "status"}\n', b"{'do': 'status'}\n", b'{"do": "status",}\n', b"\0\n",
                b'{"do": "status\xff"}\n', b'{"do": "st\\u0000atus"}\n', b'{"do": "status", "do": "reload"}\n',
                b"[" * 60000 + b"\n", b'{"do": ' + b'{"do": ' * 7000 + b"\n", b"{" * 3000 + b"}" * 3000 + b"\n",
                {"do": "nonsense"}, {"do": "STATUS"}, {"do": ["status"]}, {"do": "status", "limit": 1},
                {"do": "list", "limit": -1}, {"do": "list", "limit": 1.5}, {"do": "list", "limit": "3"},
                {"do": "list", "limit": 10 ** 18}, {"do": "list", "limit": 10001}, {"do": "list", "domian": "x.example"},
                {"do": "list", "domain": ""}, {"do": "list", "domain": 5}, {"do": "list", "domain": "a b"},
                {"do": "list", "domain": "x" * 1000}, {"do": "list", "from": "a@" + "x" * 2000}, {"do": "list", "from": []},
                {"do": "list", "from": "@a b"}, {"do": "list", "state": "x"}, {"do": "list", "state": None},
                {"do": "list", "ids": [NOBODY]}, {"do": "show"}, {"do": "show", "id": "short"}, {"do": "show", "id": [NOBODY]},
                {"do": "show", "id": "u" * 26}, {"do": "show", "id": NOBODY, "limit": 1}, {"do": "delete"},
                {"do": "delete", "all": False}, {"do": "delete", "all": 1}, {"do": "delete", "ids": []},
                {"do": "delete", "ids": NOBODY}, {"do": "delete", "ids": [1]}, {"do": "delete", "ids": [NOBODY, ""]},
                {"do": "delete", "ids": [NOBODY], "all": True}, {"do": "delete", "all": True, "domain": "x.example"},
                {"do": "delete", "domain": "*"}, {"do": "delete", "state": "any"}]:
            lines, last = self.client.ask(request)
            self.assertEqual(lines, [], request)
            self.assertEqual(last["error"], "bad-request", (request, last))
            self.assertGreater(len(last["why"]), 10, request)
        self.works()

    def test_unknown_id(self):
        self.assertEqual(self.client.ask({"do": "show", "id": NOBODY})[1]["error"], "unknown")
        lines, last = self.client.ask({"do": "hold", "ids": [NOBODY]})
        self.assertEqual(lines, [{"unknown": {"id": NOBODY}}])
        self.assertEqual(last, {"end": {"done": 0, "unknown": 1, "failed": 0}})

    def test_too_long(self):
        for tail in (b"\n", b""):
            client = self.daemon.client()
            client.send(b'{"do": "' + b"x" * 70000 + tail)
            self.assertEqual(client.reply()[1]["error"], "too-long")
            self.assertIsNone(client.line())
            client.close()
        # The longest that fits is read.
        self.client.send(b'{"do": "status"' + b" " * (65535 - 16) + b"}\n")
        self.assertIn("status", self.client.reply()[0][0])

    def test_cut_anywhere(self):
        request = json.dumps({"do": "hold", "ids": [NOBODY]}).encode() + b"\r\n\n"
        for octet in request:
            self.client.send(bytes([octet]))
        self.assertEqual(self.client.reply()[1]["end"]["unknown"], 1)
        self.works()

    def test_pipelined(self):
        """Asked at once, answered in order; a client that has finished asking still hears the answers."""
        count = 3000
        for n in range(count):
            if n % 3 == 2:
                self.client.send(b"nonsense\n")
            else:
                self.client.send({"do": "show" if n % 3 else "hold", **({"id": NOBODY} if n % 3 else {"ids": [NOBODY]})})
            if n % 500 == 499:  # else both sides would wait for the other to read
                for m in range(n - 499, n + 1):
                    last = self.client.reply()[1]
                    self.assertEqual("end" in last, m % 3 == 0, last)
        for _ in range(20):
            self.client.send({"do": "status"})
        self.client.send(b'{"do": "stat')
        self.client.socket.shutdown(socket.SHUT_WR)
        for _ in range(20):
            self.assertEqual(self.client.reply()[1], {"end": {}})
        self.assertIsNone(self.client.line())

    def test_gone_before_the_answer(self):
        """They leave room for others at once, and not when somebody has lost patience with them."""
        def counted(name):
            lines, _ = self.client.ask({"do": "metrics"})
            return next(line["metric"]["values"][0] for line in lines if line["metric"]["name"] == name)

        late = counted("admin_too_late_total")
        for request in ({"do": "status"}, {"do": "metrics"}, {"do": "reload"}, {"do": "list", "limit": 0},
                        {"do": "hold", "all": True}, b"nonsense\n", b'{"do": "sta'):
            for _ in range(5):
                client = self.daemon.client()
                client.send(request)
                client.close()
            wait_for("them to be forgotten", lambda: counted("admin_connections") == 1)
        self.assertEqual(counted("admin_too_late_total"), late)

    def test_too_many(self):
        """Beyond what it takes clients are told so, and there is room again when others leave."""
        clients = []

        def refused():
            done = self.daemon.ctl("status")
            if done.returncode == 0:
                clients.append(self.daemon.client())
            return done if done.returncode else None

        done = wait_for("a refusal", refused)
        self.assertGreaterEqual(len(clients), 20)
        self.assertEqual(done.returncode, 3)
        self.assertIn("too many connections", done.stderr)
        for client in clients:
            client.close()
        wait_for("room", lambda: self.daemon.ctl("status").returncode == 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
