# SPDX-License-Identifier: Apache-2.0
"""A ringpost as its operator sees it, whose only next hop is a port where a sink may be started."""
import json
import os
import socket

from client import Client
from ringpost import PATIENCE_S, Ringpost, arrivals, expect_equal, wait_until

# Nothing is tried a second time unless the operator says so.
ONCE = {"outbound": {"down_pause": "1 h"}, "retry": {"first": "1 h"}}
NOBODY = "01jd0000000000000000000000"


class Control:
    """A connection to the control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(os.path.relpath(path))  # a whole path may be too long for an address
        self.file = self.socket.makefile("rb")
        self.hello = self.line()

    def line(self):
        """The next line, or None at the end."""
        try:
            text = self.file.readline()
        except ConnectionResetError:
            return None
        return json.loads(text) if text else None

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else json.dumps(data).encode() + b"\n")

    def reply(self):
        """(lines, last line)"""
        lines = []
        while True:
            line = self.line()
            if line is None or "end" in line or "error" in line:
                return lines, line
            lines.append(line)

    def ask(self, data):
        self.send(data)
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()


class Daemon(Ringpost):
    """Started at once, and whenever again, until it has read its past."""

    def __init__(self, rig, **settings):
        self.next_hop = rig.port()
        self.ledger = rig.path("sink.ledger")
        super().__init__(rig, "ringpost", {
            "hostname": "mx.example.org",
            "shutdown_deadline": "2 s",
            "spool": {"cache_max": "64 KiB", "space_free_min": 0},
            "routes": {"*": f"smtp:127.0.0.1:{self.next_hop}"},
            **settings})
        self.start()

    def start(self, **more):
        return super().start(ready=self.recovered, **more)

    def recovered(self):
        done = self.ctl("--json", "status")
        if done.returncode != 0:
            return False
        status = json.loads(done.stdout.split("\n")[0])["status"]
        return not any(core["recovering"] for core in status["cores"])

    def json(self, *words):
        """Lines of a command that must succeed."""
        done = self.ctl("--json", *words)
        expect_equal(done.returncode, 0, f"exit status of {words}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def messages(self, *words):
        return [line["message"] for line in self.json("queue", *words) if "message" in line]

    def status(self):
        return self.json("status")[0]["status"]

    def control(self):
        return Control(self.socket)

    def send(self, sender, recipients):
        """Its id, from the reply to the text."""
        with Client(self.port, helo="client.example") as smtp:
            expect_equal(smtp.mail(sender)[0], 250, sender)
            for recipient in recipients:
                expect_equal(smtp.rcpt(recipient)[0], 250, recipient)
            code, reply = smtp.send_data(b"Subject: x\r\n\r\nx\r\n")
            expect_equal(code, 250, reply)
            return reply.decode().split()[-1]

    def settled(self):
        """Until nothing is on its way: each message has been tried and is put off."""
        wait_until("attempts to end", lambda: self.status()["in_hand"] == 0)

    def sink_start(self):
        self.rig.bench_sink(port=self.next_hop, ledger=self.ledger)

    def received(self):
        """Recipients that the sink has taken mail for."""
        return [recipient for _, recipient, _ in arrivals(self.ledger)]
