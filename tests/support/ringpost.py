# SPDX-License-Identifier: Apache-2.0
"""Runs ringpost, ringpostctl and ringpost-bench as their users do, for all tests of whole programs.

A test is a file with cases, functions that take a Rig, and ends in

    if __name__ == "__main__":
        sys.exit(ringpost.main(first_case, second_case))

A Rig is a directory of its own below the build, ports nobody else uses, and the programs a case starts.  At the end they are
killed, they and no others; the kernel does it if the test dies first.  The directory stays when the case failed, and
its path and the ends of its logs are printed.

Waiting is always for something that can be seen, never for time to pass; its bound only ends a test that has failed.
The environment says where things are: RINGPOST_BIN_DIR, RINGPOST_SOURCE_DIR, RINGPOST_BUILD_DIR.
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("RINGPOST_SOURCE_DIR") or os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("RINGPOST_BUILD_DIR") or os.path.join(SOURCE, "build", "release")
BIN = os.environ.get("RINGPOST_BIN_DIR") or os.path.join(BUILD, "bin")
LONG = bool(os.environ.get("RINGPOST_LONG"))
PATIENCE_S = 60  # generous: a sanitizer's build on a busy machine

# Below the range that the kernel takes the near ends of connections from.
PORTS = range(12000, 32000)


class Skip(Exception):
    """The machine lacks something; its text says what."""


def chance():
    """What a case leaves to chance; RINGPOST_SEED repeats it."""
    seed = int(os.environ.get("RINGPOST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"RINGPOST_SEED={seed}")
    return random.Random(seed)


def wait_until(what, condition, seconds=PATIENCE_S):
    """Asks until condition() gives something true, and returns that."""
    end, pause = time.monotonic() + seconds, 0.0005
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(2 * pause, 0.02)


def expect(truth, what):
    if not truth:
        raise AssertionError(what)


def expect_equal(got, wanted, what="the two differ"):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


def expect_in(part, whole, what="it lacks something"):
    if part not in whole:
        raise AssertionError(f"{what}: no {part!r} in {whole!r}")


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def count_lines(path):
    try:
        with open(path, "rb") as file:
            return file.read().count(b"\n")
    except FileNotFoundError:
        return 0


def logfmt(line):
    """The keys of a line of the log and what they say, all of it text."""
    pairs = re.findall(r'([^\s=]+)=("(?:[^"\\]|\\.)*"|\S*)', line)
    return {key: re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' else value for key, value in pairs}


def arrivals(ledger):
    """What a sink took for whom, in order: (id, recipient, milliseconds since 1970)."""
    for line in read_text(ledger).split("\n")[:-1]:
        word, *keys = line.split()
        if word == "received":
            keys = dict(key.split("=", 1) for key in keys)
            for recipient in keys["rcpt"].split(","):
                yield keys["id"], recipient, int(keys["time"])


class Process:
    """A child, its standard output and error in files named after it.

    group: it leads a process group of its own, which is killed with it.
    """

    def __init__(self, rig, name, words, group=False, **more):
        self.name, self.words, self.group = name, words, group
        self.out_path = rig.path(name + ".out")
        self.err_path = rig.path(name + ".err")
        with open(self.out_path, "ab") as out, open(self.err_path, "ab") as err:
            self.child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--"] + words, cwd=rig.directory,
                                          stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                          start_new_session=group, **more)
        self.pid = self.child.pid

    def running(self):
        return self.child.poll() is None

    def wait(self, seconds=PATIENCE_S):
        """Its exit status; negative: the signal that ended it."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {seconds} s") from None

    def send(self, number):
        self.child.send_signal(number)

    def kill(self):
        """Returns when it is gone."""
        if self.group:
            os.killpg(self.pid, signal.SIGKILL)
        else:
            self.child.kill()
        return self.child.wait()

    def stop(self, number=signal.SIGTERM):
        """Asks it to end; its exit status."""
        self.send(number)
        return self.wait()

    def out(self):
        return read_text(self.out_path)

    def err(self):
        return read_text(self.err_path)


def port_answers(port, greeting=b"220", address="127.0.0.1"):
    try:
        with socket.create_connection((address, port), timeout=PATIENCE_S) as s:
            return s.recv(len(greeting)) == greeting
    except OSError:
        return False


class Ringpost:
    """One instance: its settings, its spool, its log, its control socket; started as often as the case likes.

    settings: what the settings file says beside what every test wants.
    """

    def __init__(self, rig, name, settings):
        self.rig, self.name = rig, name
        self.port = rig.port()
        self.process = None
        self.config = rig.path(name + ".yaml")
        self.socket = rig.path(name + ".sock")
        self.log_path = rig.path(name + ".log")
        self.log_from = 0
        self.log_torn = False  # a case whose log's disk fills up: lines may be cut
        self.settings = {
            "hostname": name + ".example.org",
            "listen": f"127.0.0.1:{self.port}",
            "cores": 2,
            "spool": {"directory": name + ".spool", "segment_size": "4 MiB"},
            "control": {"socket": name + ".sock"},
            "log": {"file": name + ".log", "format": "json"},
        }
        self.configure(settings)

    def configure(self, settings):
        """Adds to the settings file; a running instance reads it at reload()."""
        for key, value in settings.items():
            if isinstance(value, dict) and key != "routes":
                value = self.settings.get(key, {}) | value
            self.settings[key] = value
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump(self.settings, file, indent=1)  # which is YAML too

    def launch(self, prefix=(), **more):
        """Starts it and does not wait.  prefix: words in front of the command, as of prlimit."""
        expect(self.process is None or not self.process.running(), f"{self.name} runs already")
        self.log_from = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        words = [*prefix, os.path.join(BIN, "ringpost"), "--config", self.config]
        self.process = self.rig.process(self.name, words, **more)
        return self

    def start(self, ready=None, **more):
        """Starts it and waits until it takes mail: until ready(), or until its log says so."""
        self.launch(**more)
        self.await_(ready or (lambda: self.log("ready")), "to be ready")
        return self

    def await_(self, condition, what):
        def met():
            result = condition()
            if not result and not self.process.running():
                raise AssertionError(f"{self.name} ended with {self.process.wait()}, we waited for it {what}:\n"
                                     + self.process.err()[-4000:])
            return result
        return wait_until(f"{self.name} {what}", met)

    def log_lines(self, whole=False):
        """What was logged since its last start (whole: since ever), up to the last line end."""
        try:
            with open(self.log_path, "rb") as file:
                file.seek(0 if whole else self.log_from)
                return file.read().decode("utf-8", "backslashreplace").split("\n")[:-1]
        except FileNotFoundError:
            return []

    def log(self, event=None, whole=False, **fields):
        """The same as dicts: lines of an event, and with these values.  As logfmt has it all values are text."""
        parse = json.loads if self.settings["log"]["format"] == "json" else logfmt
        if event:
            fields["event"] = event
        lines = []
        for text in self.log_lines(whole):
            if event and event not in text:
                continue  # spares reading the most of a long log
            try:
                line = parse(text)
            except ValueError:
                expect(self.log_torn, f"a line of the log cannot be read: {text}")
                continue
            if all(line.get(key) == value for key, value in fields.items()):
                lines.append(line)
        return lines

    def wait_log(self, event, count=1, **fields):
        """Waits for so many such lines since its last start; returns them."""
        def enough():
            lines = self.log(event, **fields)
            return lines if len(lines) >= count else None
        return self.await_(enough, f"to log {event} {fields or ''} {count} times")

    def reload(self):
        self.process.send(signal.SIGHUP)

    def ctl(self, *words):
        """ringpostctl, run to its end."""
        return self.rig.run("ringpostctl", "--socket", self.settings["control"]["socket"], *words)

    def kill(self):
        self.process.kill()

    def stop(self):
        """SIGTERM; it must end well."""
        expect_equal(self.process.stop(), 0, f"exit status of {self.name} after SIGTERM")

    def found(self):
        """Messages that this start found in the spool.  Each core logs for itself, so that one may be ready in the log before
        another has told what it found."""
        cores = self.wait_log("ready")[0]["cores"]
        return sum(line["messages"] for line in self.wait_log("queue-recovered", cores))

    def waiting(self):
        """Messages in its spool: starts and stops it."""
        self.start()
        found = self.found()
        self.stop()
        return found


class Rig:
    def __init__(self, name):
        parent = os.path.join(BUILD, "tests", "run")
        os.makedirs(parent, exist_ok=True)
        self.name = name
        self.directory = tempfile.mkdtemp(prefix=name + "-", dir=parent)
        self.processes = []
        self.port_locks = []
        self.at_end = []

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        for process in reversed(self.processes):
            if process.running():
                process.kill()
        for undo in reversed(self.at_end):
            undo()
        if kind is None or kind is Skip:
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            self.show()

    def show(self):
        print(f"--- {self.name}: see {self.directory}")
        for entry in sorted(os.listdir(self.directory)):
            if entry.endswith((".log", ".err", ".out")):
                lines = read_text(self.path(entry)).split("\n")[-21:]
                if lines != [""]:
                    print(f"--- the end of {entry}")
                    print("\n".join(line[:400] for line in lines))

    def path(self, name):
        return os.path.join(self.directory, name)

    def port(self):
        """A free port of 127.0.0.1, ours until the case ends: an abstract socket of its name locks it, since
        programs that share ports could come between the asking and the listening."""
        for port in random.sample(PORTS, len(PORTS)):
            lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                lock.bind(f"\0ringpost-test-port-{port}")
                with socket.socket() as trial:
                    trial.bind(("127.0.0.1", port))
            except OSError:
                lock.close()
                continue
            self.port_locks.append(lock)
            return port
        raise AssertionError("no free port")

    def process(self, name, words, **more):
        process = Process(self, name, words, **more)
        self.processes.append(process)
        return process

    def run(self, program, *words, **more):
        """One of our programs, to its end: its exit status, and what it said."""
        return subprocess.run([os.path.join(BIN, program), *map(str, words)], cwd=self.directory, capture_output=True,
                              encoding="utf-8", timeout=PATIENCE_S, check=False, **more)

    def ringpost(self, name="ringpost", **settings):
        return Ringpost(self, name, settings)

    def bench(self, command, *words, name=None):
        """ringpost-bench, started."""
        return self.process(name or command, [os.path.join(BIN, "ringpost-bench"), command, *map(str, words)])

    def bench_sink(self, *words, name="sink", ledger=None, port=None):
        """A sink that listens, with a ledger, which sinks may share; its port is .port, the ledger's path .ledger."""
        port, ledger = port or self.port(), ledger or self.path(name + ".ledger")
        sink = self.bench("sink", "--listen", f"127.0.0.1:{port}", "--ledger", ledger, *words, name=name)
        wait_until("the sink to listen", lambda: port_answers(port))
        sink.port, sink.ledger = port, ledger
        return sink

    def balance(self, sent, received):
        """The two ledgers against one another: a dict of numbers, its findings as text under "findings"."""
        done = self.run("ringpost-bench", "ledger", "--json", sent, received)
        expect(done.returncode in (0, 1), f"ringpost-bench ledger: {done.stderr}")
        return json.loads(done.stdout) | {"findings": done.stderr}


def one(name, case):
    """ok, failed or skipped."""
    try:
        with Rig(name) as rig:
            summary = case(rig)
    except Skip as skip:
        print(f"{name}: skipped: {skip}")
        return "skipped"
    except Exception:  # whatever it was, the other cases run
        traceback.print_exc(file=sys.stdout)
        print(f"{name}: FAILED")
        return "failed"
    print(f"{name}: ok" + (f": {summary}" if summary else ""))
    return "ok"


def run_all(cases):
    """Runs a dict of cases by their names.  0, 1, or 77 when every one was skipped."""
    sys.stdout.reconfigure(line_buffering=True)
    results = [one(name, case) for name, case in cases.items()]
    if "failed" in results:
        return 1
    return 77 if "ok" not in results else 0


def main(*cases):
    """Runs the cases named on the command line, or all; as run_all()."""
    wanted = sys.argv[1:]
    unknown = set(wanted) - {case.__name__ for case in cases}
    if unknown:
        print(f"no such case: {', '.join(unknown)}")
        return 2
    test = os.path.basename(sys.argv[0]).removesuffix(".py")
    return run_all({f"{test}.{case.__name__}": case for case in cases if not wanted or case.__name__ in wanted})
