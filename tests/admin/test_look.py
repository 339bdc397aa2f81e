#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""status, destinations, metrics, reload; the command line and its exit statuses."""
import os
import re
import smtplib
import subprocess
import unittest

from daemon import BIN, Daemon, wait_for


class Look(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(more="outbound: {down_pause: 1 h}\nretry: {first: 1 h}\n")
        cls.addClassCleanup(cls.daemon.close)

    def test_status(self):
        d = self.daemon
        before = d.status()
        d.send("me@example.org", ["a@dest.example", "b@dest.example"])
        d.settled()
        s = d.status()
        self.assertEqual((s["hostname"], s["settings"], s["stopping"]), ("mx.example.org", d.config, False))
        self.assertEqual(s["messages"], before["messages"] + 1)
        self.assertEqual(s["recipients_open"], before["recipients_open"] + 2)
        self.assertEqual(s["destinations_down"], 1)
        self.assertEqual([core["core"] for core in s["cores"]], [0, 1])
        for key in ("messages", "recipients_open", "held", "sessions_in", "destinations_down", "segment_octets"):
            self.assertEqual(s[key], sum(core[key] for core in s["cores"]), key)
        text = d.ctl("status").stdout
        self.assertIn(f", process {d.process.pid}, up ", text)
        self.assertIn("\nMail is taken.\n", text)
        self.assertIn("\n1 next hop cannot be reached", text)

    def test_destinations(self):
        d = self.daemon
        d.send("me@example.org", ["a@dest.example"])
        d.settled()
        hop = d.json("destinations")[0]["destination"]
        self.assertEqual((hop["name"], hop["sessions"], hop["waiting"]), ("route *", 0, 0))
        self.assertGreater(hop["down_until_ms"], 0)
        self.assertIn("refused", hop["trouble"])
        self.assertIn("route *, down, left alone for ", d.ctl("destinations").stdout)

    def test_many_destinations(self):
        """Address literals have a next hop each; the limit holds, and down ones come first."""
        d = Daemon(more="outbound: {down_pause: 1 h, port: 1}\nretry: {first: 1 h}\n")
        self.addCleanup(d.close)
        d.send("me@example.org", [f"a@[127.0.{n // 200}.{n % 200 + 1}]" for n in range(300)])
        wait_for("them to be down", lambda: d.status()["destinations_down"] == 300)
        for limit, shown in ((), 100), (("--limit", "7"), 7), (("--limit", "all"), 300):
            lines = d.json("destinations", *limit)
            self.assertEqual(lines[-1]["end"], {"shown": shown, "matching": 300})
            hops = [line["destination"] for line in lines[:-1]]
            self.assertEqual(len({hop["name"] for hop in hops}), shown)
            self.assertTrue(all(hop["down_until_ms"] for hop in hops))
        self.assertIn("100 of 300 next hops", d.ctl("destinations").stdout)

    def test_metrics(self):
        d = self.daemon
        d.send("me@example.org", ["a@dest.example"])
        text = d.ctl("metrics").stdout
        values, kinds = {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kinds[name] = line.split(" ")
            elif not line.startswith("# HELP "):
                match = re.fullmatch(r'(ringpost_[a-z0-9_]+)(\{[a-z]+="[^"]*"\})? ([0-9.]+)', line)
                self.assertTrue(match, line)
                name = match.group(1)
                self.assertIn(name, kinds)
                values[name] = values.get(name, 0) + float(match.group(3))
        self.assertGreaterEqual(values["ringpost_inbound_messages_total"], 1)
        self.assertGreaterEqual(values["ringpost_queue_messages"], 1)
        self.assertEqual(kinds["ringpost_queue_messages"], "gauge")
        self.assertEqual(kinds["ringpost_queue_accepted_total"], "counter")
        self.assertEqual(text.count("ringpost_queue_messages{"), 2)
        rows = [line["metric"] for line in d.json("metrics")[:-1]]
        self.assertEqual({"ringpost_" + row["name"] for row in rows},
                         set(kinds) - {"ringpost_build_info", "ringpost_start_time_seconds"})

    def test_reload(self):
        d = self.daemon
        with open(d.config, encoding="utf-8") as f:
            good = f.read()
        digest = d.status()["digest"]
        try:
            with open(d.config, "w", encoding="utf-8") as f:
                f.write(good + "relay_network: 10.0.0.0/8\n")
            done = d.ctl("reload")
            self.assertEqual(done.returncode, 1)
            self.assertIn('did you mean "relay_networks"?', done.stderr)
            self.assertEqual(d.status()["digest"], digest)
            with open(d.config, "w", encoding="utf-8") as f:
                f.write(good.replace("mx.example.org", "mx2.example.org"))
            done = d.ctl("reload")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(d.status()["hostname"], "mx2.example.org")
        finally:
            with open(d.config, "w", encoding="utf-8") as f:
                f.write(good)
            self.assertEqual(d.ctl("reload").returncode, 0)
        self.assertEqual(d.status()["digest"], digest)

    def test_command_line(self):
        d = self.daemon
        for words, status, said in [
                (("stauts",), 2, 'did you mean "status"?'),
                (("relaod",), 2, 'did you mean "reload"?'),
                (("queues",), 2, 'did you mean "queue"?'),
                (("xyzzy",), 2, "--help lists them"),
                ((), 2, "usage: "),
                (("status", "now"), 2, "one word too many"),
                (("queue", "list"), 2, "one word too many"),
                (("status", "--all"), 2, "takes no --all"),
                (("show", "x"), 2, 'did you mean "queue show"?'),
                (("hold",), 2, "either IDs"),
                (("--nonsense",), 2, "--help"),
                (("queue", "--limit", "10001"), 2, "1 to 10000")]:
            done = d.ctl(*words)
            self.assertEqual(done.returncode, status, (words, done))
            self.assertIn(said, done.stderr, words)
        for words in (("--help",), ("help",), ("--version",)):
            done = d.ctl(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)
            self.assertIn("ringpostctl", done.stdout)

    def test_where_the_socket_is(self):
        d = self.daemon
        plain = [f"{BIN}/ringpostctl", "status"]
        environment = dict(os.environ, RINGPOST_SOCKET=d.socket)
        self.assertEqual(subprocess.run(plain, env=environment, capture_output=True, check=False).returncode, 0)
        environment["RINGPOST_SOCKET"] = "/nonexistent"
        for words in (("--socket", d.socket), ("--config", d.config)):
            self.assertEqual(subprocess.run(plain + [*words], env=environment, capture_output=True,
                                            check=False).returncode, 0, words)
        self.assertEqual(subprocess.run(plain, env=environment, capture_output=True, check=False).returncode, 3)
        self.assertEqual(subprocess.run(plain + ["--config", "/nonexistent"], capture_output=True,
                                        check=False).returncode, 2)
        self.assertEqual(os.stat(d.socket).st_mode & 0o777, 0o600)


class Unreachable(unittest.TestCase):
    def test_causes(self):
        d = Daemon()
        self.addCleanup(d.close)
        missing = d.ctl("--socket", d.directory + "/none", "status")
        self.assertEqual((missing.returncode, missing.stdout), (3, ""))
        self.assertIn("is ringpost running", missing.stderr)
        self.assertEqual(d.ctl("--socket", "x" * 200, "status").returncode, 3)
        # Ended in order: the socket is gone.
        self.assertEqual(d.stop(), 0)
        self.assertFalse(os.path.exists(d.socket))
        # Killed: the socket is left, and the next start takes its place.
        d.start()
        d.process.kill()
        d.process.wait()
        # The kernel takes a moment to close what a killed ring held.
        wait_for("the socket to be dead", lambda: "nobody listens there" in d.ctl("status").stderr)
        self.assertEqual(d.ctl("status").returncode, 3)
        d.start()
        self.assertEqual(d.ctl("status").returncode, 0)

    def test_stopping(self):
        """While transactions end, the operator can look but not act."""
        d = Daemon()
        self.addCleanup(d.close)
        with smtplib.SMTP("127.0.0.1", d.port) as smtp:
            smtp.ehlo("client.example")
            smtp.mail("a@example.org")
            client, idle = d.client(), d.client()
            d.process.terminate()
            wait_for("the end to begin", lambda: client.ask({"do": "status"})[0][0]["status"]["stopping"])
            self.assertEqual(client.ask({"do": "hold", "all": True})[1]["error"], "stopping")
            self.assertEqual(client.ask({"do": "reload"})[1]["error"], "stopping")
        d.process.wait(timeout=60)
        self.assertIsNone(idle.line())
        client.close()
        idle.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
