# SPDX-License-Identifier: Apache-2.0
"""A ringpost of two cores in a directory of its own, whose only next hop is a port where a sink may be started."""
import json
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time

BIN = os.environ.get("RINGPOST_BIN_DIR", "build/release/bin")
PATIENCE_S = 60  # for whatever must happen; sanitizers are slow, machines are busy


def wait_for(what, condition):
    """Until condition() is true, which it returns."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_S} s for {what}")


def port_reserve():
    """A socket whose port nobody else gets; who shares ports (SO_REUSEPORT), as our programs do, can listen on it."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("127.0.0.1", 0))
    return s


class Client:
    """A connection to the control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(path)
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


class Daemon:
    def __init__(self, cores=2, more=""):
        self.directory = tempfile.mkdtemp(prefix="ringpost-admin-", dir=os.environ.get("RINGPOST_BUILD_DIR"))
        self.socket = os.path.join(self.directory, "control.sock")
        self.config = os.path.join(self.directory, "ringpost.yaml")
        self.log = os.path.join(self.directory, "log")
        self.reserved = [port_reserve(), port_reserve()]
        self.port, self.next_hop = (s.getsockname()[1] for s in self.reserved)
        self.sink = None
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"""
hostname: mx.example.org
listen: "127.0.0.1:{self.port}"
cores: {cores}
shutdown_deadline: 2 s
spool: {{directory: {self.directory}/spool, segment_size: 4 MiB, cache_max: 64 KiB, space_free_min: 0}}
control: {{socket: {self.socket}}}
log: {{file: {self.log}}}
relay_networks: 127.0.0.0/8
routes: {{"*": "smtp:127.0.0.1:{self.next_hop}"}}
{more}""")
        self.start()

    def start(self):
        self.process = subprocess.Popen([f"{BIN}/ringpost", "--config", self.config])
        wait_for("the daemon to answer", lambda: self.process.poll() is not None or self.ready())
        if self.process.returncode is not None:
            raise AssertionError(f"ringpost ended at once with {self.process.returncode}")

    def ready(self):
        """It has read its past."""
        done = self.ctl("--json", "status")
        if done.returncode != 0:
            return False
        status = json.loads(done.stdout.split("\n")[0])["status"]
        return not any(core["recovering"] for core in status["cores"])

    def ctl(self, *words, **options):
        return subprocess.run([f"{BIN}/ringpostctl", "--socket", self.socket, *words], capture_output=True,
                              encoding="utf-8", timeout=PATIENCE_S, check=False, **options)

    def json(self, *words):
        """Lines of a command that must succeed."""
        done = self.ctl("--json", *words)
        assert done.returncode == 0, (words, done)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def messages(self, *words):
        return [line["message"] for line in self.json("queue", *words) if "message" in line]

    def status(self):
        return self.json("status")[0]["status"]

    def client(self):
        return Client(self.socket)

    def send(self, sender, recipients, text="Subject: x\r\n\r\nx\r\n"):
        """Its id, from the reply to the text."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE_S) as smtp:
            smtp.ehlo("client.example")
            assert smtp.mail(sender)[0] == 250
            for recipient in recipients:
                assert smtp.rcpt(recipient)[0] == 250, recipient
            code, reply = smtp.data(text)
            assert code == 250, reply
            return reply.decode().split()[-1]

    def settled(self):
        """Until nothing is on its way: each message has been tried and is put off."""
        wait_for("attempts to end", lambda: self.status()["in_hand"] == 0)

    def sink_start(self):
        self.ledger = os.path.join(self.directory, "ledger")
        self.sink = subprocess.Popen([f"{BIN}/ringpost-bench", "sink", "--listen", f"127.0.0.1:{self.next_hop}",
                                      "--ledger", self.ledger], stdout=subprocess.DEVNULL)
        wait_for("the sink to listen", self.sink_listens)

    def sink_listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.next_hop)) == 0

    def received(self):
        """Recipients that the sink has taken mail for."""
        try:
            with open(self.ledger, encoding="utf-8") as f:
                words = [word for line in f if line.startswith("received") for word in line.split()]
        except FileNotFoundError:
            return []
        return [r for word in words if word.startswith("rcpt=") for r in word[5:].split(",")]

    def stop(self):
        """Its exit status."""
        for process in (self.sink, self.process):
            if process and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=PATIENCE_S)
        return self.process.returncode

    def close(self):
        status = self.stop()
        for s in self.reserved:
            s.close()
        shutil.rmtree(self.directory)
        assert status == 0, f"ringpost ended with {status}"
