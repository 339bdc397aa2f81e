#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each script of bench/peers keeps its word: what it starts relays to a next hop, or keeps mail when that is down; its queue
is told; nothing of it is left after stop.  Those of other servers are skipped where their packages cannot be had."""
import ctypes
import json
import os
import subprocess
import sys

import ringpost
from ringpost import Skip, expect, expect_equal, expect_in, wait_until

PEERS = os.path.join(ringpost.SOURCE, "bench", "peers")
MESSAGES = 50
PR_SET_CHILD_SUBREAPER = 36


def call(name, *words, status=0):
    """A script, to its end; what it printed, or what it complained about."""
    done = subprocess.run([os.path.join(PEERS, name), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True,
                          encoding="utf-8", timeout=ringpost.PATIENCE_S, check=False)
    if words[0] == "install" and done.returncode == 1 and "cannot be fetched" in done.stderr:
        raise Skip(done.stderr.strip())
    expect_equal(done.returncode, status, f"{name} {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout if status == 0 else done.stderr


def below_us():
    """Names of processes whose parents all have ended up here: we adopt what a script leaves behind."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    head, _, fields = file.read().rpartition(")")
            except OSError:
                continue
            state, parent = fields.split()[:2]
            if state not in "ZX":
                parents[int(entry)] = int(parent), head.partition("(")[2]
    found, wanted = {}, {os.getpid()}
    while wanted:
        wanted = {pid for pid, (parent, _) in parents.items() if parent in wanted}
        found |= {pid: parents[pid][1] for pid in wanted}
    return found


def adopt():
    libc = ctypes.CDLL(None, use_errno=True)
    expect_equal(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0, "prctl")


class Peer:
    def __init__(self, rig, name, root):
        adopt()
        self.rig, self.name, self.root, self.port = rig, name, root, rig.port()
        call(name, "install", root)
        about = json.loads(call(name, "about", root))
        for key in ("name", "sync", "note"):
            expect(about[key], f"about says nothing of {key}: {about}")
        os.chmod(rig.directory, 0o755)
        rig.at_end.append(self.end)
        self.directory = None

    def start(self, next_hop, directory):
        self.directory = self.rig.path(directory)
        os.makedirs(self.directory, exist_ok=True)
        said = json.loads(call(self.name, "start", self.root, f"dir={self.directory}", f"port={self.port}",
                               f"next_hop={next_hop}", "cores=1", "size_max=1000000"))
        expect(set(said["pids"]) <= set(below_us()), f"its main process runs: {said['pids']}, {below_us()}")
        expect(str(self.port) in said["settings"] or self.name.startswith("floor"), "settings are told")
        return said

    def queue(self):
        return int(call(self.name, "queue", self.root, f"dir={self.directory}"))

    def send(self, *more):
        done = self.rig.run("ringpost-bench", "send", "--to", f"127.0.0.1:{self.port}", "--sessions", 4,
                            "--messages", MESSAGES, "--timeout", ringpost.PATIENCE_S, "--json", *more)
        expect_equal(done.returncode, 0, f"all was taken: {done.stdout}{done.stderr}")

    def stop(self):
        ours = {process.pid for process in self.rig.processes}
        call(self.name, "stop", self.root, f"dir={self.directory}")
        left = {pid: name for pid, name in below_us().items() if pid not in ours}
        expect_equal(left, {}, "processes after stop")
        self.directory = None

    def end(self):
        if self.directory:
            subprocess.run([os.path.join(PEERS, self.name), "stop", self.root, f"dir={self.directory}"], check=False)


def relays_and_keeps(rig, name, root):
    """To a sink, then with the next hop down, then anew on the same spool."""
    peer = Peer(rig, name, root)
    sink = rig.bench_sink()
    peer.start(f"127.0.0.1:{sink.port}", "up")
    peer.send()
    wait_until("all to arrive", lambda: len(list(ringpost.arrivals(sink.ledger))) >= MESSAGES)
    wait_until("an empty queue", lambda: peer.queue() == 0)
    peer.stop()
    expect_equal(len({i for i, _, _ in ringpost.arrivals(sink.ledger)}), MESSAGES, "different messages at the sink")

    said = peer.start("down", "down")
    peer.send()
    wait_until("all to be in the queue", lambda: peer.queue() == MESSAGES)
    expect(os.path.exists(said["log"]), f"it has a log: {said['log']}")
    expect_in("already", call(name, "start", root, f"dir={peer.directory}", f"port={rig.port()}", "next_hop=down", status=1))
    peer.stop()
    peer.start(f"127.0.0.1:{sink.port}", "down")
    if name != "exim":  # it runs its queue by itself
        call(name, "flush", root, f"dir={peer.directory}")
    wait_until("what was kept to arrive", lambda: len(list(ringpost.arrivals(sink.ledger))) >= 2 * MESSAGES)
    wait_until("an empty queue", lambda: peer.queue() == 0)
    peer.stop()


def other(rig, name, mounts):
    if os.geteuid() != 0:
        raise Skip(f"{name} starts as root only")
    trial = ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt"]
    if mounts and subprocess.run(trial, capture_output=True, check=False).returncode != 0:
        raise Skip(f"{name} needs the right to mount")
    relays_and_keeps(rig, name, os.path.join(ringpost.BUILD, "tests", "peers", name))


def postfix(rig):
    other(rig, "postfix", mounts=False)


def exim(rig):
    other(rig, "exim", mounts=True)


def opensmtpd(rig):
    other(rig, "opensmtpd", mounts=True)


def ours(rig):
    relays_and_keeps(rig, "ringpost", ringpost.BIN)


def floor(rig):
    for name in ("floor", "floor-direct"):
        peer = Peer(rig, name, ringpost.BIN)
        peer.start("down", name)
        peer.send()
        expect_equal(peer.queue(), 0)
        expect(os.path.getsize(os.path.join(peer.directory, "data.0")) > 0, f"{name} writes what it takes")
        peer.stop()


def wrong_words_are_told(rig):
    there = rig.path("there")
    os.mkdir(there)
    start = ("start", ringpost.BIN, f"dir={there}", f"port={rig.port()}", "next_hop=down")
    for said, *words in (
            ("did you mean start", "strat", there), ("ROOT is missing", "queue", "dir=/tmp"), ("dir missing", "queue", there),
            ("did you mean next_hop", *start[:4], "nexthop=down"), ("port has no value", *start, "port"),
            ("ringpost --help", "start", ringpost.BIN)):
        expect_in(said, call("ringpost", *words, status=2), f"complaint about {words}")
    for said, *words in (
            ("an IPv4 address and a port", *start[:4], "next_hop=localhost"), ("from 1 to 65535", *start, "port=0"),
            ("no ringpost in", "install", there), ("nothing was started in", "queue", ringpost.BIN, f"dir={there}")):
        expect_in(said, call("ringpost", *words, status=1), f"complaint about {words}")
    expect_in("usage: ringpost install ROOT", call("ringpost", "--help"))
    expect_equal(os.listdir(there), [], "nothing was made")


def an_end_instead_of_an_answer_is_told(rig):
    """What the server itself said about it, too."""
    build = rig.path("build")
    os.mkdir(build)
    for program in ("ringpost", "ringpostctl"):
        with open(os.path.join(build, program), "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho the moon is in the way\n")
        os.chmod(os.path.join(build, program), 0o755)
    said = call("ringpost", "start", build, f"dir={rig.path('dir')}", f"port={rig.port()}", "next_hop=down", status=1)
    expect_in("it ended instead of answering", said)
    expect_in("the moon is in the way", said)


CASES = (postfix, exim, opensmtpd, ours, floor, wrong_words_are_told, an_end_instead_of_an_answer_is_told)

if __name__ == "__main__":
    sys.exit(ringpost.main(*CASES))
