#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The figures of docs/benchmark.md: what a message costs, beside what the bare receiver costs in the same round.

    bench/figures.py [--rounds N] [--quick] [--only WORD] [--dir DIRECTORY] [--bin DIRECTORY]

Load generator, server and next hop share the machine.  Each row is measured in every round, and rounds alternate between
the bare receiver (ringpost-bench floor) and ringpost, so that what else the machine does meets both.  Printed are the
medians, as a Markdown table; the ratio is that of the medians.  Processor time is user and system of all threads of the
server, from its start to its end of work.  Nothing here is a test: no figure makes it fail.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 120


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def wait_for(what, condition, seconds=PATIENCE_S):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"figures: {what}: not within {seconds} s")
        time.sleep(0.02)


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Program:
    """A program of ours, ended by SIGTERM; its output goes to a file."""

    def __init__(self, words, directory, name):
        self.log = os.path.join(directory, name + ".out")
        with open(self.log, "w") as out:
            self.process = subprocess.Popen(words, cwd=directory, stdout=out, stderr=subprocess.STDOUT)
        self.pid = self.process.pid

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Bench:
    def __init__(self, options):
        self.bin = os.path.abspath(options.bin)
        self.root = tempfile.mkdtemp(prefix="ringpost-figures-", dir=options.dir)

    def path(self, program):
        return os.path.join(self.bin, program)

    def floor(self, cores):
        port = free_port()
        program = Program([self.path("ringpost-bench"), "floor", "--listen", f"127.0.0.1:{port}", "--cores",
                           str(cores), "--file", os.path.join(self.root, "floor")], self.root, "floor")
        wait_for("floor", lambda: answers(port))
        return program, port

    def ringpost(self, cores, next_hop):
        port = free_port()
        shutil.rmtree(os.path.join(self.root, "spool"), ignore_errors=True)
        for name in ("log", "control"):
            if os.path.exists(os.path.join(self.root, name)):
                os.unlink(os.path.join(self.root, name))
        with open(os.path.join(self.root, "settings.yaml"), "w") as f:
            f.write(f'hostname: mx.bench.example\nlisten: ["127.0.0.1:{port}"]\ncores: {cores}\n'
                    "spool: {directory: ./spool}\ncontrol: {socket: ./control}\nlog: {file: ./log}\n"
                    "inbound: {sessions_per_client_max: 20000}\n"
                    f'relay_networks: ["127.0.0.0/8"]\nroutes: {{"*": "smtp:127.0.0.1:{next_hop}"}}\n')
        program = Program([self.path("ringpost"), "--config", "settings.yaml"], self.root, "ringpost")
        wait_for("ringpost", self.ready)
        return program, port

    def ready(self):
        """Has every shard read its past?"""
        try:
            with open(os.path.join(self.root, "log")) as f:
                return "event=ready" in f.read()
        except FileNotFoundError:
            return False

    def queued(self):
        words = [self.path("ringpostctl"), "--socket", os.path.join(self.root, "control"), "--json", "status"]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        status = json.loads(done.stdout.splitlines()[0])["status"]
        return status["messages"]

    def send(self, port, sessions, messages, size):
        words = [self.path("ringpost-bench"), "send", "--to", f"127.0.0.1:{port}", "--sessions", str(sessions),
                 "--messages", str(messages), "--size", str(size), "--json"]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"figures: the sender says:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    # Each returns {figure: value}.

    def accept(self, target, cores, sessions, messages, size):
        if target == "floor":
            program, port = self.floor(cores)
        else:
            # Nobody listens there: what was accepted stays, and the next hop is found down once.
            program, port = self.ringpost(cores, free_port())
        began = cpu_seconds(program.pid)
        sent = self.send(port, sessions, messages, size)
        cpu = cpu_seconds(program.pid) - began
        program.end()
        return {"rate": sent["rate"], "cpu": cpu * 1e6 / messages}

    def relay(self, cores, sessions, messages, size):
        hop = free_port()
        sink = Program([self.path("ringpost-bench"), "sink", "--listen", f"127.0.0.1:{hop}"], self.root, "sink")
        wait_for("sink", lambda: answers(hop))
        program, port = self.ringpost(cores, hop)
        began, started = cpu_seconds(program.pid), time.monotonic()
        self.send(port, sessions, messages, size)
        wait_for("the queue to be empty", lambda: self.queued() == 0)
        seconds, cpu = time.monotonic() - started, cpu_seconds(program.pid) - began
        program.end()
        sink.end()
        return {"rate": messages / seconds, "cpu": cpu * 1e6 / messages}

    def idle(self, sessions):
        program, port = self.ringpost(1, free_port())
        before = resident_kib(program.pid)
        words = [self.path("ringpost-bench"), "idle", "--to", f"127.0.0.1:{port}", "--sessions", str(sessions),
                 "--seconds", "2"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
            for line in holder.stdout:
                if line.startswith("holding"):
                    break
            held = resident_kib(program.pid) - before
            holder.stdout.read()
        program.end()
        return {"memory": held / sessions}


def median(rounds, figure):
    return statistics.median(r[figure] for r in rounds)


def machine():
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*:\s*(.*)", f.read()).group(1)
    return f"{os.cpu_count()} × {model}, Linux {os.uname().release}, load before {os.getloadavg()[0]:.2f}"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--quick", action="store_true", help="a tenth of the messages")
    p.add_argument("--only", default="", help="rows whose name contains WORD", metavar="WORD")
    p.add_argument("--dir", default=os.path.join(here, "..", "build"), help="where spool and floor file go: the disk that is measured")
    p.add_argument("--bin", default=os.path.join(here, "..", "build", "release", "bin"))
    options = p.parse_args()
    bench = Bench(options)
    share = 10 if options.quick else 1
    plan = [(kind, cores, sessions, size, max(messages // share, sessions))
            for kind in ("accept", "relay")
            for cores, sessions, size, messages in (
                (1, 20, 4096, 50000), (1, 100, 4096, 50000), (1, 500, 4096, 50000), (2, 20, 4096, 50000),
                (2, 100, 4096, 50000), (2, 500, 4096, 50000), (2, 100, 102400, 5000))]
    try:
        print(f"{machine()}; {options.rounds} rounds\n")
        print("| | cores | sessions | octets | messages/s | floor | ratio | CPU µs/message | floor | ratio |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for kind, cores, sessions, size, messages in plan:
            if options.only not in f"{kind} {cores} {sessions} {size}":
                continue
            ours, floor = [], []
            for _ in range(options.rounds):
                floor.append(bench.accept("floor", cores, sessions, messages, size))
                ours.append(bench.accept("ringpost", cores, sessions, messages, size) if kind == "accept" else
                            bench.relay(cores, sessions, messages, size))
            rate, bare = median(ours, "rate"), median(floor, "rate")
            cost, least = median(ours, "cpu"), median(floor, "cpu")
            print(f"| {kind} | {cores} | {sessions} | {size} | {rate:.0f} | {bare:.0f} | {rate / bare:.2f} "
                  f"| {cost:.1f} | {least:.1f} | {cost / least:.1f} |", flush=True)
        if options.only in "idle":
            held = [bench.idle(10000 // share) for _ in range(options.rounds)]
            print(f"\nAn idle session after EHLO: {median(held, 'memory'):.2f} KiB of resident memory "
                  f"({10000 // share} of them).")
    finally:
        shutil.rmtree(bench.root, ignore_errors=True)


if __name__ == "__main__":
    main()
