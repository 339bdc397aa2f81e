#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the sender is asked to send it sends, told by the server that got it."""
import collections
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time

import ringpost
from fake_server import FakeServer, send, start, told_by
from ringpost import expect, expect_equal, expect_in


def write(rig, name, text):
    with open(rig.path(name), "w", encoding="utf-8") as file:
        file.write(text)
    return rig.path(name)


def sizes(rig):
    """Of each size as many as its weight says; the same messages whatever the number of threads."""
    name = write(rig, "sizes", "# octets weight\n2000 3\n5K 1\n")
    seen = []
    for cores in (1, 2):
        server = FakeServer(rig)
        told = send(rig, server, "--messages", 400, "--size-distribution", name, "--seed", 3, "--cores", cores)
        lengths = collections.Counter(len(m.text) for m in server.messages())
        expect_equal(set(lengths), {2000, 5120}, "sizes that came")
        expect(60 <= lengths[5120] <= 140, f"{lengths[5120]} of 400 are large, a quarter should be")
        expect_equal(told["octets"], sum(len(m.text) for m in server.messages()), "octets told")
        seen.append(lengths)
    expect_equal(seen[0], seen[1], "what came with one thread and with two")
    server = FakeServer(rig)
    send(rig, server, "--messages", 300, "--size-distribution", "corporate", "--sessions", 5)
    lengths = sorted(len(m.text) for m in server.messages())
    expect(15000 < lengths[150] < 50000, f"the median of corporate mail is {lengths[150]}")
    expect(lengths[-1] > 300000, f"the largest of 300 corporate messages is {lengths[-1]}")
    wrong = rig.run("ringpost-bench", "send", "--to", server.to, "--size-distribution", write(rig, "wrong", "4K\nbig 2\n"))
    expect_equal(wrong.returncode, 1)
    expect_in('"big" is no size', wrong.stderr)


def domains(rig):
    """A hundred thousand domains of which one has half of the mail; senders likewise; the ledger says the same."""
    tail = "".join(f"d{i}.example\n" for i in range(100000))
    name = write(rig, "domains", "large.example 100000\n" + tail)
    senders = write(rig, "senders", "one.example 3\ntwo.example 1\n")
    server, ledger = FakeServer(rig), rig.path("ledger")
    send(rig, server, "--messages", 400, "--recipients", 2, "--rcpt", "u%d@ignored.example", "--rcpt-domains", name,
         "--from", "news@ignored.example", "--from-domains", senders, "--ledger", ledger)
    rcpts = [r for m in server.messages() for r in m.recipients]
    to = collections.Counter(r.split("@")[1] for r in rcpts)
    expect_equal(len(rcpts), 800)
    expect(300 <= to["large.example"] <= 500, f"{to['large.example']} of 800 went to the domain with half of the mail")
    expect(len(to) > 300, f"{len(to)} domains of the tail")
    expect(all(r.startswith("u") for r in rcpts), "the local parts are not those of the pattern")
    of = collections.Counter(m.mail for m in server.messages())
    expect_equal(set(of), {"news@one.example", "news@two.example"})
    expect(60 <= of["news@two.example"] <= 140, f"{of['news@two.example']} of 400 from the sender with a quarter")
    booked = [r for line in ringpost.read_text(ledger).splitlines()
              for r in line.split(" rcpt=")[1].split(" ")[0].split(",")]
    expect_equal(sorted(booked), sorted(rcpts), "recipients of the ledger")


def slow(rig):
    """Four sessions at 20 000 octets a second each: a text of 10 000 takes half a second, pipelined or not, whatever way."""
    for more in ((), ("--pipelining", "off")):
        server = FakeServer(rig)
        told = send(rig, server, "--messages", 4, "--sessions", 4, "--size", 10000, "--slow", 20000, *more)
        expect_equal(told["octets"], 40000)
        for message in server.messages():
            expect_equal(len(message.text), 10000)
            expect(message.seconds > 0.4, f"a slow text took {message.seconds} s")
        expect(told["latency_us"]["p50"] > 0.45e6, "the latency does not have the text")


def vanish(rig):
    """A share of the connections break where they shall; all else arrives, and the ledger knows which is which."""
    for where, come in (("mail", "MAIL"), ("rcpt", "RCPT"), ("data", "DATA"), ("body", "DATA"), ("dot", "DATA")):
        for pipelining in ("offered", "off"):
            server, ledger = FakeServer(rig), rig.path(f"ledger-{where}-{pipelining}")
            told = send(rig, server, "--messages", 200, "--sessions", 5, "--vanish", f"{where}:20", "--ledger", ledger,
                        "--pipelining", pipelining)
            vanished = told["vanished"]
            expect(20 <= vanished <= 70, f"{vanished} of 200 vanished at {where}, a fifth should")
            expect_equal(told["messages"], 200 - vanished)
            expect_equal((told["aborted"], told["unknown"], told["sessions_lost"]), (0, 0, 0), "troubles told")
            expect_equal(sum(second["errors"] for second in told["timeline"]), 0, "errors of the timeline")
            words = collections.Counter(line.split()[0] for line in ringpost.read_text(ledger).splitlines())
            word = "unknown" if where == "dot" else "aborted"
            expect_equal(words, collections.Counter({"accepted": 200 - vanished, word: vanished}), "lines of the ledger")
            broken = [c for c in server.connections if not c.quit]
            expect_equal(len(broken), vanished, "connections without QUIT")
            expect_equal({c.verbs[-1] for c in broken}, {come}, f"last words of connections that vanish at {where}")
            whole = len(server.messages())
            if where == "dot":
                # A reset may overtake the last octets.
                expect(200 - vanished <= whole <= 200, f"{whole} messages came whole")
            else:
                expect_equal(whole, 200 - vanished, "messages that came whole")
            if where == "body":
                expect(all(1000 < c.text_octets < 4000 for c in broken),
                       f"texts broken off after {[c.text_octets for c in broken]}")


def auth(rig):
    server = FakeServer(rig, offers=("PIPELINING", "AUTH LOGIN PLAIN"))
    send(rig, server, "--messages", 10, "--sessions", 2, "--auth", "some:thing:else")
    expect_equal({c.auth for c in server.connections}, {"AUTH PLAIN AHNvbWUAdGhpbmc6ZWxzZQ=="})
    expect_equal(len(server.messages()), 10)
    refusing = FakeServer(rig, offers=("AUTH PLAIN",), answers={"AUTH": "535 5.7.8 No"})
    told = send(rig, refusing, "--messages", 10, "--sessions", 2, "--auth", "some:thing", status=1)
    expect_equal((told["messages"], told["sessions_failed"], told["replies"]), (0, 2, {"auth 535": 2}))
    lacking = FakeServer(rig, offers=("AUTH LOGIN",))
    wrong = rig.run("ringpost-bench", "send", "--to", lacking.to, "--auth", "some:thing")
    expect_equal(wrong.returncode, 1)
    expect_in("does not offer AUTH PLAIN", wrong.stderr)
    wrong = rig.run("ringpost-bench", "send", "--to", lacking.to, "--auth", "something")
    expect_equal(wrong.returncode, 2)
    expect_in("NAME:PASSWORD", wrong.stderr)


def strangers(rig):
    """Only this machine is loaded unless somebody answers for it; nothing leaves before that is said."""
    for command in ("send", "idle"):
        for address in ("192.0.2.1:25", "[2001:db8::1]:25"):
            refused = rig.run("ringpost-bench", command, "--to", address, "--sources" if command == "idle" else "--cores", 1)
            expect_equal(refused.returncode, 2, f"exit status of {command} --to {address}")
            expect_in("--i-own-this-host", refused.stderr)
    server = FakeServer(rig)
    told = send(rig, server, "--messages", 1, "--sessions", 1, "--i-own-this-host")
    expect_equal(told["messages"], 1)


def saturated(rig):
    """A sender that is kept from working begins messages late though sessions are free, and says so."""
    servers = [FakeServer(rig), FakeServer(rig)]
    senders = [rig.bench("send", "--to", server.to, "--rate", 100, "--seconds", 2, *words, name=f"send{len(words)}")
               for server, words in zip(servers, (("--json",), ()))]
    ringpost.wait_until("the first messages", lambda: all(server.count > 10 for server in servers))
    for sender in senders:
        sender.send(signal.SIGSTOP)
    time.sleep(0.3)  # how long they are kept; nothing is waited for
    for sender in senders:
        sender.send(signal.SIGCONT)
    told = told_by(senders[0])
    expect_equal(told["saturated"], True)
    expect(told["late_us"]["max"] > 200e3, f"the latest message is told to have been {told['late_us']['max']} us late")
    expect(told["latency_us"]["max"] > 200e3, "the latency does not have what was late")
    expect_equal(senders[1].wait(), 0)
    expect_in("WARNING", senders[1].out())


def ungreeted(rig):
    """Clients whom nobody greets do not keep the others; by a time-out they are failures, and why is told."""
    began = time.monotonic()
    late = start(rig, FakeServer(rig, silent=1), "--sessions", 1, "--messages", 1, "--timeout", 1)
    senders = [start(rig, FakeServer(rig, silent=2), "--sessions", 5, "--timeout", 1000, *words)
               for words in (("--messages", 100), ("--seconds", 1))]
    for sender in senders:
        told = told_by(sender)
        expect(told["messages"] > 0, "nothing was sent")
        expect_equal((told["sessions"], told["sessions_ungreeted"], told["sessions_failed"]), (3, 2, 0))
        expect_equal(told["connections"], {}, "connections that broke")
    expect(time.monotonic() - began < 200, "the sender waited for a greeting")
    told = told_by(late, 1)
    expect_equal((told["sessions_failed"], told["sessions_ungreeted"]), (1, 0))
    expect_equal(told["connections"], {"ETIMEDOUT": 1})


class Terminal:
    """A sender whose standard error is a terminal."""

    def __init__(self, server, *words):
        self.near, far = pty.openpty()
        self.child = subprocess.Popen([os.path.join(ringpost.BIN, "ringpost-bench"), "send", "--to", server.to,
                                       *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=far)
        os.close(far)

    def end(self):
        """Its exit status, what it printed, what was on the terminal."""
        out = self.child.communicate(timeout=ringpost.PATIENCE_S)[0].decode()
        shown = b""
        try:
            while more := os.read(self.near, 4096):
                shown += more
        except OSError:
            pass  # how a terminal says that nobody is at its other end
        os.close(self.near)
        return self.child.returncode, out, shown.decode()


def idle_gives_up(rig):
    """Sessions that nobody greets do not keep the others waiting for ever."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        held = rig.bench("idle", "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--sessions", 200, "--seconds", 0, "--timeout", 1)
        expect_equal(held.wait(), 1, held.err())
    expect_in("holding 0", held.out())
    expect_in("open 0, failed 200, lost 0", held.out())


def live(rig):
    """A line for each second, on a terminal only, wiped at the end; an interrupt still ends the run in good order."""
    server = FakeServer(rig)
    quiet = Terminal(server, "--messages", 150, "--rate", 100, "--quiet")
    sender = start(rig, server, "--messages", 150, "--rate", 100)
    status, out, shown = Terminal(server, "--rate", 200, "--seconds", 2, "--sessions", 5).end()
    expect_equal(status, 0)
    lines = [line for line in shown.split("\r\033[K") if line]
    expect(lines, "nothing was on the terminal")
    told = re.fullmatch(r"(\d+) s  (\d+) messages/s  p50 [\d.]+ ms  p99 [\d.]+ ms  errors 0  sessions 5  left 1 s", lines[0])
    expect(told and 100 < int(told.group(2)) < 250, f"the first line: {lines[0]!r}")
    expect(shown.endswith("\r\033[K"), "the line is not wiped")
    expect_in("latency", out)
    expect_equal(quiet.end()[2], "", "what a quiet one shows")
    expect_equal((sender.wait(), sender.err()), (0, ""), "a sender without a terminal")
    slow_one = FakeServer(rig, delay=lambda number: 0.01)
    interrupted = Terminal(slow_one, "--seconds", 60, "--json")
    ringpost.wait_until("the first messages", lambda: slow_one.count > 5)
    interrupted.child.send_signal(signal.SIGINT)
    status, out, _ = interrupted.end()
    expect_in('"messages"', out, f"an interrupted sender ended with {status}")


if __name__ == "__main__":
    sys.exit(ringpost.main(sizes, domains, slow, vanish, auth, strangers, saturated, ungreeted, idle_gives_up, live))
