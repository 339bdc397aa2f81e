# SPDX-License-Identifier: Apache-2.0
"""Servers that are measured, each known by one script below bench/peers, and the programs that load them.

A target is named NAME or NAME@ROOT.  NAME is a script, ROOT where it finds its programs: for ours the directory of
ringpost-bench unless said otherwise, so ringpost@DIR is another build; for others a directory of the cache, into which the
script unpacks their package.  docs/benchmark.md has the verbs.
"""
from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

from lab import measure

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(os.path.dirname(HERE), "peers")
SCENARIOS = os.path.join(os.path.dirname(HERE), "scenarios")
OURS = ("ringpost", "floor", "floor-direct")
INSTALL_PATIENCE_S, QUEUE_PATIENCE_S, PORT_PATIENCE_S = 900, 60, 10
DESCRIPTORS = 250000
# Below the range that the kernel takes the near ends of connections from.
PORTS = range(12000, 32000)


class TargetError(Exception):
    """A target, or a program of ours, did not do what it should; the text says which and what it said."""


def bench_path():
    """ringpost-bench, which started us."""
    return os.environ.get("RINGPOST_BENCH") or os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "release",
                                                            "bin", "ringpost-bench")


def bench_version():
    """What ringpost-bench says it is."""
    try:
        done = subprocess.run([bench_path(), "--version"], capture_output=True, encoding="utf-8", check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip().removeprefix("ringpost-bench ")


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "ringpost-bench")


def descriptors_raise():
    """As many descriptors as we may have, for us and whom we start; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (max(hard, DESCRIPTORS), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
        except (ValueError, OSError):
            continue
    return soft


class Ports:
    """Ports of 127.0.0.1 that are ours for the whole run: an abstract socket of its name locks each, since programs that share
    ports could come between the asking and the listening."""

    def __init__(self):
        self._locks = []
        self._next = PORTS.start + os.getpid() * 7 % (len(PORTS) - 1000)

    def take(self):
        for port in [*range(self._next, PORTS.stop), *PORTS]:
            lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                lock.bind(f"\0ringpost-test-port-{port}")
                with socket.socket() as trial:
                    trial.bind(("127.0.0.1", port))
            except OSError:
                lock.close()
                continue
            self._locks.append(lock)
            self._next = port + 1
            return port
        raise TargetError("no free port")


@dataclass
class About:
    """What a server says of itself."""
    name: str
    version: str
    sync: str
    note: str
    delivers: bool = True


class Peer:
    """A server by its script."""

    def __init__(self, word):
        self.word, self.delivers = word, True
        self.name, _, root = word.partition("@")
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", self.name) or not os.access(self.script, os.X_OK):
            raise TargetError(f"no target \"{self.name[:60]}\"; there are {', '.join(known())}")
        if root:
            self.root = os.path.abspath(root)
        elif self.name in OURS:
            self.root = os.path.dirname(bench_path())
        else:
            self.root = os.path.join(cache_directory(), "peers", self.name)

    @property
    def script(self):
        return os.path.join(PEERS, self.name)

    def ask(self, verb, *words, patience=60):
        """A verb that starts nothing; its output.  None: the script does not know it."""
        try:
            done = subprocess.run([self.script, verb, self.root, *words], stdin=subprocess.DEVNULL, capture_output=True,
                                  encoding="utf-8", errors="replace", timeout=patience, check=False)
        except subprocess.TimeoutExpired:
            raise TargetError(f"{self.word}: {verb}: not within {patience} s") from None
        if done.returncode == 2:
            return None
        if done.returncode != 0:
            raise TargetError(f"{self.word}: {verb}: {last_words(done.stderr) or done.returncode}")
        return done.stdout

    def install(self):
        os.makedirs(self.root, exist_ok=True)
        self.ask("install", patience=INSTALL_PATIENCE_S)

    def about(self):
        said = self.json("about", self.ask("about") or "{}")
        self.delivers = said.get("delivers", True) is True
        return About(*(str(said.get(key, "")) for key in ("name", "version", "sync", "note")), self.delivers)

    def json(self, verb, text):
        try:
            return json.loads(text)
        except ValueError:
            raise TargetError(f"{self.word}: {verb} did not print JSON: {text[:200]!r}") from None


def known():
    """Names of the scripts."""
    return sorted(name for name in os.listdir(PEERS)
                  if os.access(os.path.join(PEERS, name), os.X_OK) and os.path.isfile(os.path.join(PEERS, name))
                  and "." not in name)


def last_words(text):
    return " / ".join(text.strip().split("\n")[-3:])[-600:]


class Target:
    """A peer that runs: from start() to close() below a keeper of its own."""

    def __init__(self, peer, directory, port, next_hop, settings):
        self.peer, self.directory, self.port = peer, directory, port
        self.words = [f"dir={directory}", f"port={port}", f"next_hop={next_hop}", f"cores={settings.cores}",
                      f"size_max={settings.size_max}"]
        self.settings, self.log = "", ""
        self.keeper = subprocess.Popen([sys.executable, "-S", os.path.join(HERE, "keeper.py")], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True)
        self.account = measure.account(self.keeper.pid)

    def _keep(self, *words):
        try:
            self.keeper.stdin.write(json.dumps(words) + "\n")
            self.keeper.stdin.flush()
            answer = json.loads(self.keeper.stdout.readline())
        except (OSError, ValueError):
            raise TargetError(f"{self.peer.word}: its keeper is gone") from None
        if answer["status"] != 0:
            said = last_words(answer["err"]) or last_words(read_text(os.path.join(self.directory, "out")))
            raise TargetError(f"{self.peer.word}: {words[1]}: {said or answer['status']}")
        return answer["out"]

    def _script(self, verb, *words):
        return self._keep(self.peer.script, verb, self.peer.root, *words)

    def start(self):
        # By sharing the port a second one could start beside it unseen.  The kernel takes down the ring of a process, and
        # with it a listening socket, some time after the process has ended.
        end = time.monotonic() + PORT_PATIENCE_S
        while listens(self.port):
            if time.monotonic() > end:
                raise TargetError(f"{self.peer.word}: start: somebody listens on port {self.port} already")
            time.sleep(0.005)
        said = self.peer.json("start", self._script("start", *self.words))
        self.settings, self.log = str(said.get("settings", "")), str(said.get("log", ""))

    def stop(self):
        self._script("stop", self.words[0])

    def kill(self):
        """As a crash would: everything at once, without a word."""
        self._keep("kill")

    def queue(self):
        """Messages that it still holds; None when it does not say."""
        try:
            text = self.peer.ask("queue", self.words[0], patience=QUEUE_PATIENCE_S)
            return None if text is None else int(text)
        except (TargetError, ValueError):
            return None

    def flush(self):
        """Asks it to try everything now.  False: its script does not know how."""
        return self.peer.ask("flush", self.words[0], patience=QUEUE_PATIENCE_S) is not None

    def cpu_s(self):
        return self.account.cpu_s()

    def memory_octets(self):
        return measure.memory_octets(measure.processes(), self.keeper.pid)

    def close(self):
        """Ends what still runs."""
        try:
            self.keeper.stdin.close()
            self.keeper.wait(60)
        except (OSError, subprocess.TimeoutExpired):
            self.keeper.kill()
            self.keeper.wait()
        self.keeper.stdout.close()
        self.account.remove()


def read_text(path, octets=1 << 20):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(octets)
    except OSError:
        return ""


def option_words(options):
    """Options of a program from a section of a scenario."""
    words = []
    for key, value in options.items():
        if value is True:
            words.append(f"--{key}")
        elif value is not False and value is not None:
            words += [f"--{key}", str(value)]
    return words


class Program:
    """A command of ringpost-bench that we started; its output goes to files."""

    def __init__(self, command, words, directory, name):
        self.name = name
        self.out_path, self.err_path = (os.path.join(directory, f"{name}.{kind}") for kind in ("out", "err"))
        with open(self.out_path, "w", encoding="utf-8") as out, open(self.err_path, "w", encoding="utf-8") as err:
            # Not even our own death leaves it behind.
            self.child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", bench_path(), command, *words],
                                          cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                          start_new_session=True)
        self.ended_at = None

    def running(self):
        if self.child.poll() is None:
            return True
        self.ended_at = self.ended_at or time.monotonic()
        return False

    def stop(self, patience=30):
        """Asks it to end, and waits."""
        if self.running():
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(patience)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.running()

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def out(self):
        return read_text(self.out_path, 1 << 26)

    def json(self):
        """Its summary.  A status of 1 says that not all went well, which the figures say too."""
        try:
            return json.loads(self.out())
        except ValueError:
            said = last_words(read_text(self.err_path)) or f"status {self.child.returncode}"
            raise TargetError(f"{self.name}: {said}") from None


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def options_known():
    """What send, sink and idle can be told, for scenario.py."""
    from lab.scenario import options_from_help
    options = {}
    for command in ("send", "sink", "idle"):
        try:
            done = subprocess.run([bench_path(), command, "--help"], capture_output=True, encoding="utf-8", check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise TargetError(f"{bench_path()} {command} --help: {error}") from None
        options[command] = options_from_help(done.stdout)
    return options
