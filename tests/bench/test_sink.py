#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sink does what its behaviour file says, to whom it says it, and counts what came.

Times are asserted from below only: what a rule delays must not come earlier.
"""
import collections
import csv
import json
import os
import pty
import socket
import subprocess
import sys
import time

import ringpost
from ringpost import expect, expect_equal, expect_in, wait_until

GONE, RESET, NOTHING = "gone", "reset", "nothing"
HUNG_S = 0.3  # no answer for so long is none


class Raw:
    """A connection that says what it is told and reads what comes."""

    def __init__(self, port, address="127.0.0.1"):
        self.held, self.socket = b"", None
        try:
            self.socket = socket.create_connection((address, port), timeout=ringpost.PATIENCE_S)
        except ConnectionResetError:
            pass  # at the banner, before we were told that we are connected

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.socket:
            self.socket.close()

    def send(self, text):
        self.socket.sendall(text)

    def answer(self, patience_s=ringpost.PATIENCE_S):
        """The code and the text of the last line of the next reply, or how there is none."""
        if not self.socket:
            return RESET
        self.socket.settimeout(patience_s)
        while True:
            line, end, rest = self.held.partition(b"\n")
            if end:
                self.held = rest
                if line[3:4] == b"-":
                    continue
                return int(line[:3]), line[4:].rstrip().decode()
            try:
                more = self.socket.recv(4096)
            except TimeoutError:
                return NOTHING
            except ConnectionResetError:
                return RESET
            if not more:
                return GONE
            self.held += more

    def ask(self, line, **how):
        self.send(line.encode() + b"\r\n")
        return self.answer(**how)

    def code(self, line, **how):
        """The code of the answer, or how there is none."""
        reply = self.ask(line, **how)
        return reply if isinstance(reply, str) else reply[0]

    def open(self):
        expect_equal(self.answer()[0], 220, "greeting")
        expect_equal(self.code("EHLO client.example.org"), 250, "EHLO")
        return self

    def envelope(self, *recipients):
        """The code for each recipient."""
        expect_equal(self.code("MAIL FROM:<a@client.example.org>"), 250, "MAIL")
        return [self.code(f"RCPT TO:<{r}>") for r in recipients]

    def text(self, text=b"Subject: x\r\n\r\nbody\r\n"):
        code = self.code("DATA")
        if code != 354:
            return code
        self.send(text + b".\r\n")
        reply = self.answer()
        return reply if isinstance(reply, str) else reply[0]

    def message(self, recipient):
        """The code that decided about it."""
        code, = self.envelope(recipient)
        return self.text() if code == 250 else code


class Sink:
    def __init__(self, rig, behaviour=None, *words, cores=1, addresses=()):
        """A sink whose file says behaviour; PORT in it is the port at all addresses."""
        self.rig, self.port = rig, rig.port()
        self.export = rig.path("export.csv")
        if behaviour is not None:
            with open(rig.path("behaviour"), "w", encoding="utf-8") as file:
                file.write(behaviour.replace("PORT", str(self.port)))
            words = ("--behaviour", rig.path("behaviour"), *words)
        self.process = rig.bench("sink", "--listen", f"127.0.0.1:{self.port}", "--json", "--cores", cores,
                                 "--export", self.export, *words)
        for address in ("127.0.0.1", *addresses):
            wait_until("the sink to listen", lambda a=address: self.listens(a))

    def listens(self, address):
        if not self.process.running():
            raise AssertionError(f"the sink ended: {self.process.err()}")
        try:
            socket.create_connection((address, self.port), timeout=ringpost.PATIENCE_S).close()
            return True
        except OSError:
            return False

    def raw(self, address="127.0.0.1"):
        return Raw(self.port, address)

    def end(self):
        """Its summary."""
        expect_equal(self.process.stop(), 0, "exit status of the sink")
        return json.loads(self.process.out())


def converse(connection, stage, recipient="b@example.org"):
    """Talks up to a stage; its answer, or how there was none."""
    greeting = connection.answer(HUNG_S if stage == "banner" else ringpost.PATIENCE_S)
    steps = [("banner", None), ("ehlo", "EHLO x"), ("mail", "MAIL FROM:<a@x.example>"), ("rcpt", f"RCPT TO:<{recipient}>"),
             ("data", "DATA"), ("body", "a"), ("dot", ".")]
    if stage == "answer":
        stage = "dot"
    for name, line in steps:
        last = name == stage
        if name == "banner":
            reply = greeting
        elif name == "body":
            connection.send(b"Subject: x\r\n\r\n")
            if last:
                return connection.answer(HUNG_S)
            continue
        else:
            reply = connection.ask(line, patience_s=HUNG_S if last else ringpost.PATIENCE_S)
        if last:
            return reply
        expect(not isinstance(reply, str) and reply[0] < 400, f"{name}: {reply}")
    raise AssertionError(stage)


USUAL = {"banner": 220, "ehlo": 250, "mail": 250, "rcpt": 250, "data": 354, "body": None, "dot": 250, "answer": 250}


def every_action_at_every_stage(rig):
    """Each in a host of its own, all in one sink."""
    hosts, lines = {}, []
    for stage, usual in USUAL.items():
        for action in ("refuse 499 9.9.9 So it is", "close", "reset", "hang", "leave"):
            verb = action.split()[0]
            if (stage == "body" and verb in ("refuse", "leave")) or (stage == "answer" and verb == "refuse"):
                continue
            address = f"127.0.1.{len(hosts) + 1}"
            hosts[address] = stage, verb, usual
            lines.append(f"listen {address}:PORT\n    {stage} {action}\n")
    sink = Sink(rig, "".join(lines), addresses=list(hosts)[-1:])
    for address, (stage, verb, usual) in hosts.items():
        with sink.raw(address) as c:
            reply = converse(c, stage)
            what = f"{verb} at {stage}"
            if verb == "refuse":
                expect_equal(reply, (499, "9.9.9 So it is"), what)
            elif verb == "leave":
                expect_equal(reply[0], usual, what)
                expect_equal(c.answer(), GONE, what + ": behind it")
            else:
                expect_equal(reply, {"close": GONE, "reset": RESET, "hang": NOTHING}[verb], what)
    summary = sink.end()
    expect_equal(sum(h["dropped"] for h in (*summary["hosts"].values(), *summary["domains"].values())), 24, "dropped")
    expect_equal(sum(h["deferred"] for h in (*summary["hosts"].values(), *summary["domains"].values())), 6, "deferred")
    expect_equal(summary["messages"], 2, "messages: dot leave and answer leave")


def delays_at_every_stage(rig):
    sink = Sink(rig, "".join(f"listen 127.0.1.{i + 1}:PORT\n    {stage} delay 150..160\n" for i, stage in enumerate(USUAL)),
                addresses=[f"127.0.1.{len(USUAL)}"])
    for i, stage in enumerate(USUAL):
        start = time.monotonic()
        with sink.raw(f"127.0.1.{i + 1}") as c:
            c.open()
            c.envelope("b@example.org")
            expect_equal(c.text(), 250, stage)
        expect(time.monotonic() - start >= 0.145, f"delay at {stage}: it took {time.monotonic() - start} s")
    sink.end()


def each_domain_its_own(rig):
    sink = Sink(rig, """
domain gone.example *.gone.example
    rcpt refuse 550 5.1.1 No such user
domain grey.example
    dot refuse 451 4.7.1 Greylisted
domain *
    rcpt 100% refuse 553 5.7.1 Not here
domain good.example
listen 127.0.0.2:PORT
    mail delay 1
""", addresses=["127.0.0.2"])
    with sink.raw() as c:
        c.open()
        expect_equal(c.envelope("b@gone.example", "b@A.Gone.Example", "b@other.example", "b@good.example"),
                     [550, 550, 553, 250], "recipients")
        expect_equal(c.text(), 250, "the text for good.example")
        expect_equal(c.message("b@grey.example"), 451, "grey.example")
        # The first recipient decides about the text.
        expect_equal(c.envelope("b@good.example", "b@grey.example", "c@grey.example"), [250] * 3, "two domains")
        expect_equal(c.text(), 250, "the text for both")
    domains = sink.end()["domains"]
    expect_equal((domains["good.example"]["messages"], domains["good.example"]["recipients"]), (2, 2), "good.example")
    expect_equal((domains["grey.example"]["messages"], domains["grey.example"]["recipients"]), (1, 2), "grey.example")
    expect_equal(domains["grey.example"]["deferred"], 1, "grey.example deferred")
    expect_equal(domains["a.gone.example"]["refused"], 1, "a.gone.example refused")


def chunks_are_told_the_same(rig):
    sink = Sink(rig, "domain data.example\n data refuse 451\ndomain dot.example\n dot refuse 452\n"
                     "domain hang.example\n body hang\ndomain slow.example\n data delay 150\n")
    for domain, wanted in (("data", 451), ("dot", 452), ("good", 250)):
        with sink.raw() as c:
            c.open()
            c.envelope(f"b@{domain}.example")
            expect_equal(c.code("BDAT 3 LAST\r\na"), wanted, domain)
            expect_equal(c.code("NOOP"), 250, "and the session goes on")
    with sink.raw() as c:
        c.open()
        c.envelope("b@hang.example")
        expect_equal(c.ask("BDAT 3 LAST\r\na", patience_s=HUNG_S), NOTHING, "hang")
    for line in ("BDAT 3 LAST\r\na", "BDAT 0 LAST"):
        with sink.raw() as c:
            c.open()
            c.envelope("b@slow.example")
            start = time.monotonic()
            c.send(line.encode() + b"\r\n" * (line[5] == "3") + b"\r\n" * (line[5] == "0"))
            expect_equal(c.answer()[0], 250, "slow")
            expect(time.monotonic() - start >= 0.145, "the delay of a chunk")
    sink.end()


def shares(rig):
    """Of many, about as many as were asked for; the seed makes it the same each time."""
    sink = Sink(rig, "domain *\n rcpt 20% refuse 450\n rcpt 30% refuse 550\n", "--seed", 7)
    with sink.raw() as c:
        c.open()
        counts = collections.Counter(c.envelope(*[f"u{i}@example.org" for i in range(1000)]))
    for code, share in ((450, 200), (550, 300), (250, 500)):
        expect(share * 0.7 < counts[code] < share * 1.3, f"{counts[code]} of 1000 answers were {code}")
    sink.end()


def connections_at_an_address(rig):
    """Two cores: the limit is of both together."""
    sink = Sink(rig, "listen 127.0.0.2:PORT\n connections 3 421 4.3.2 Busy here\n", cores=2, addresses=["127.0.0.2"])
    wait_until("the probe to be gone", lambda: sink.raw("127.0.0.2").answer()[0] == 220)
    opened = []
    for _ in range(3):
        def one_more():
            c = sink.raw("127.0.0.2")
            if c.answer()[0] == 220:
                opened.append(c)
                return True
            return False
        wait_until("a place", one_more)
    for _ in range(8):
        with sink.raw("127.0.0.2") as c:
            expect_equal(c.answer(), (421, "4.3.2 Busy here"), "the fourth")
            expect_equal(c.answer(), GONE, "behind 421")
    opened.pop().socket.close()
    wait_until("a place again", lambda: sink.raw("127.0.0.2").answer()[0] == 220)
    host = sink.end()["hosts"][f"127.0.0.2:{sink.port}"]
    expect(host["over_connections"] >= 8, host)
    expect(host["over_connections_worst"] >= 1, host)
    for c in opened:
        c.socket.close()


def connections_for_a_domain(rig):
    """At one address, counted from the first recipient."""
    sink = Sink(rig, "domain a.example\n connections 2\n", cores=2)
    connections = [sink.raw().open() for _ in range(4)]
    expect_equal([c.envelope("b@a.example")[0] for c in connections], [250, 250, 421, 421], "recipients")
    expect_equal([c.answer() for c in connections[2:]], [GONE, GONE], "behind 421")
    # A connection counts for one domain at a time.
    expect_equal(connections[0].code("RSET"), 250, "RSET")
    expect_equal(connections[0].envelope("b@b.example"), [250], "another domain")
    with sink.raw().open() as c:
        expect_equal(c.envelope("b@a.example"), [250], "a place again")
    for c in connections:
        c.socket.close()
    domain = sink.end()["domains"]["a.example"]
    expect_equal((domain["over_connections"], domain["connections"]), (2, 5), "a.example")
    expect(domain["over_connections_worst"] >= 1, domain)


def messages_and_recipients(rig):
    sink = Sink(rig, "domain a.example\n messages 2 421 4.7.0 Two are enough\n recipients 3\n"
                     "listen 127.0.0.2:PORT\n messages 1\n", addresses=["127.0.0.2"])
    with sink.raw() as c:
        c.open()
        expect_equal([c.message("b@a.example") for _ in range(2)], [250, 250], "two messages")
        expect_equal(c.envelope("b@a.example"), [421], "a third")
        expect_equal(c.answer(), GONE, "behind 421")
    with sink.raw() as c:
        c.open()
        expect_equal(c.envelope(*[f"u{i}@a.example" for i in range(5)]), [250] * 3 + [452] * 2, "recipients")
        expect_equal(c.text(), 250, "text")
    with sink.raw("127.0.0.2") as c:
        c.open()
        expect_equal(c.message("b@b.example"), 250, "one message")
        expect_equal(c.code("MAIL FROM:<a@b.example>"), 421, "a second")
    summary = sink.end()
    domain = summary["domains"]["a.example"]
    expect_equal((domain["over_messages"], domain["over_recipients"], domain["over_recipients_worst"]), (1, 2, 1), "a.example")
    expect_equal((summary["over_messages"], summary["over_recipients"]), (2, 2), "all")


def rate(rig):
    """An hour's rate: nothing comes back while the test runs, however slow the machine is."""
    sink = Sink(rig, "domain a.example\n rate 5/h burst 3 450 4.7.1 Slower\ndomain b.example\n rate 5/h 421\n", cores=2)
    with sink.raw() as c, sink.raw() as other:
        c.open()
        other.open()
        expect_equal([c.message("u@a.example") for _ in range(2)], [250] * 2, "within the burst")
        expect_equal([other.message("u@a.example"), other.message("u@a.example")], [250, 450], "from elsewhere")
        # Asked once in a transaction, whatever is tried within.
        expect_equal(other.code("RCPT TO:<v@a.example>"), 450, "the next recipient")
        expect_equal(other.code("RCPT TO:<v@c.example>"), 250, "of another domain")
        expect_equal(c.envelope("u@a.example"), [450], "beyond")
    with sink.raw() as c:
        c.open()
        expect_equal([c.message("u@b.example") for _ in range(6)], [250] * 5 + [421], "the burst is the rate")
        expect_equal(c.answer(), GONE, "behind 421")
    domain = sink.end()["domains"]["a.example"]
    expect_equal((domain["over_rate"], domain["over_rate_worst"], domain["messages"]), (2, 2, 3), "a.example")


def slow_reader(rig):
    sink = Sink(rig, "domain a.example\n read 100K/s\n")
    for domain, least_s in (("b", 0), ("a", 0.35)):
        with sink.raw() as c:
            c.open()
            c.envelope(f"u@{domain}.example")
            start = time.monotonic()
            expect_equal(c.text(b"Subject: x\r\n\r\n" + b"0123456789abcde\r\n" * 2400), 250, domain)
            expect(time.monotonic() - start >= least_s, f"{domain}: 40 KiB in {time.monotonic() - start} s")
            expect_equal(c.message(f"u@{domain}.example"), 250, "the next message")
    sink.end()


def answers_before_a_close_arrive(rig):
    """Pipelined: what was answered before the connection is closed is heard."""
    sink = Sink(rig, "domain *\n data close\n")
    with sink.raw() as c:
        c.open()
        c.send(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n")
        expect_equal([c.answer()[0], c.answer()[0], c.answer()], [250, 250, GONE], "answers")
    sink.end()


def an_unanswered_message_is_in_the_ledger(rig):
    ledger = rig.path("ledger")
    sink = Sink(rig, "domain a.example\n answer close\ndomain b.example\n answer hang\ndomain c.example\n dot close\n",
                "--ledger", ledger)
    for domain, wanted in (("a", GONE), ("b", NOTHING), ("c", GONE), ("d", 250)):
        with sink.raw() as c:
            reply = converse(c, "dot", f"u@{domain}.example")
            expect_equal(reply if isinstance(reply, str) else reply[0], wanted, domain)
    sink.end()
    lines = [line for line in ringpost.read_text(ledger).split("\n") if line]
    expect_equal([("rcpt=u@%s.example" % d in line, "answered=no" in line) for d, line in zip("abd", lines)],
                 [(True, True), (True, True), (True, False)], lines)
    expect_equal(len(lines), 3, "lines")


def the_export_adds_up(rig):
    """Two cores and more than one second, and what came is in it once."""
    sink = Sink(rig, "domain d1.example\n rcpt 10% refuse 550\n dot 10% refuse 450\n", cores=2)
    done = [rig.bench("send", "--to", f"127.0.0.1:{sink.port}", "--messages", 2000, "--sessions", 8, "--size", 1000,
                      "--rcpt", f"u%d@d{i}.example", name=f"send{i}") for i in range(3)]
    for sender in done:
        expect(sender.wait() in (0, 1), sender.err())
    # That second is written while the sink runs; what comes now is another's.
    wait_until("the export of the first second", lambda: "d2.example" in ringpost.read_text(sink.export))
    with sink.raw() as c:
        c.open()
        expect_equal(c.message("u@d0.example"), 250, "a late message")
    summary = sink.end()
    with open(sink.export, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sums = collections.defaultdict(collections.Counter)
    for row in rows:
        sums[row["domain"]].update({key: int(value) for key, value in row.items() if key not in ("time", "domain")})
        expect(abs(int(row["time"]) - time.time()) < 2 * ringpost.PATIENCE_S, row)
    expect_equal(len({(row["time"], row["domain"]) for row in rows}), len(rows), "a line for each second and domain")
    wanted = summary["domains"] | summary["hosts"]
    expect_equal(set(sums), set(wanted), "domains and addresses")
    for name, counts in wanted.items():
        expect_equal({key: sums[name][key] for key in sums[name]}, {key: counts[key] for key in sums[name]}, name)
    expect_equal(sum(d["messages"] for d in summary["domains"].values()), summary["messages"], "messages")
    expect_equal(summary["messages"] + summary["refused"] + summary["recipients_refused"], 6001, "all")


def summaries_are_bounded(rig):
    sink = Sink(rig, None, "--domains", 3)
    with sink.raw() as c:
        c.open()
        c.envelope(*[f"u@d{i}.example" for i in range(10)], "v@d9.example")
        c.text()
        for i in (7, 8):
            c.message(f"u@d{i}.example")
    summary = sink.end()
    expect_equal((summary["domain_count"], sorted(summary["domains"])),
                 (10, ["d0.example", "d7.example", "d8.example", "other domains"]), "domains")
    expect_equal(summary["domains"]["other domains"]["messages"], 7, "messages of the others")


def latency_end_to_end(rig):
    """A message that was due five seconds ago; one that says nothing; one of another machine's clock."""
    sink = Sink(rig)
    now = time.monotonic_ns()
    head = b"X-Ringpost-Bench-Id: 1-1\r\nX-Ringpost-Bench-Time: %020d\r\n\r\nbody\r\n"
    with sink.raw() as c:
        c.open()
        for text in (head % (now - 5 * 10**9), b"Subject: x\r\n\r\n", head % (now + 3600 * 10**9)):
            expect_equal(c.envelope("u@x.example"), [250], "recipient")
            expect_equal(c.text(b"Received: from a\r\n" + text), 250, "text")
    summary = sink.end()
    latency = summary["end_to_end_us"]
    expect_equal(sum(count for _, count in latency["buckets"]), 1, "messages with a latency")
    expect(5e6 <= latency["max"] < 5e6 + ringpost.PATIENCE_S * 1e6, latency["max"])
    expect_equal(sum(step["messages"] for step in summary["timeline"]), 3, "messages of the timeline")


def options_are_the_short_way(rig):
    """They are rules for whom the file does not name."""
    sink = Sink(rig, "domain a.example\n", "--refuse-rcpt", "451", "--max-messages-per-session", 1)
    with sink.raw() as c:
        c.open()
        expect_equal(c.envelope("u@a.example", "u@b.example"), [250, 451], "recipients")
        expect_equal(c.text(), 250, "text")
        expect_equal(c.code("MAIL FROM:<a@b.example>"), 421, "the next message")
    sink.end()
    done = rig.run("ringpost-bench", "sink", "--listen", "127.0.0.1:1", "--close-at", "rcpt:60", "--refuse-rcpt", "451:60")
    expect_equal(done.returncode, 2, "too much of a stage")
    expect_in("exceed 100 percent", done.stderr)


def wrong_files_are_told(rig):
    with open(rig.path("wrong"), "w", encoding="utf-8") as file:
        file.write("domain a.example\n\n    rctp 5% refuse 550\n")
    done = rig.run("ringpost-bench", "sink", "--listen", "127.0.0.1:1", "--behaviour", "wrong")
    expect_equal((done.returncode, done.stderr), (2, 'ringpost-bench sink: wrong:3: no word "rctp"; did you mean rcpt?\n'))
    done = rig.run("ringpost-bench", "sink", "--listen", "127.0.0.1:1", "--behaviour", "absent")
    expect_equal(done.returncode, 2, "no file")
    expect_in("absent: No such file", done.stderr)
    with open(rig.path("good"), "w", encoding="utf-8") as file:
        file.write("domain a.example\n")
    done = rig.run("ringpost-bench", "sink", "--behaviour", "good")
    expect_equal(done.returncode, 2, "no address")
    done = rig.run("ringpost-bench", "sink", "--listen", f"127.0.0.1:{rig.port()}", "--export", "no/such/export")
    expect_equal(done.returncode, 1, "no place for the export")
    expect_in("no/such/export: No such file", done.stderr)


def live(rig):
    """A line for each second on a terminal, wiped at the end; none when quiet."""
    for words, shows in (((), True), (("--quiet",), False)):
        near, far = pty.openpty()
        port = rig.port()
        child = subprocess.Popen([os.path.join(ringpost.BIN, "ringpost-bench"), "sink", "--listen", f"127.0.0.1:{port}", *words],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=far)
        os.close(far)
        rig.at_end.append(child.kill)
        wait_until("the sink to listen", lambda p=port: ringpost.port_answers(p))
        with Raw(port) as c:
            c.open()
            expect_equal(c.message("u@x.example"), 250, "message")
            shown = os.read(near, 4096) if shows else b""
            child.terminate()
            expect_equal(child.wait(ringpost.PATIENCE_S), 0, "exit status")
        try:
            while more := os.read(near, 4096):
                shown += more
        except OSError:
            pass  # how a terminal says that nobody is at its other end
        os.close(near)
        if not shows:
            expect_equal(shown, b"", "what a quiet one shows")
            continue
        expect_in(b" messages/s  p50 ", shown)
        expect(shown.endswith(b"\r\033[K"), f"the line is not wiped: {shown!r}")


def an_interrupt_ends_what_hangs(rig):
    sink = Sink(rig, "domain *\n rcpt hang\n")
    with sink.raw() as c:
        c.open()
        expect_equal(c.code("MAIL FROM:<a@x.example>"), 250, "MAIL")
        expect_equal(c.ask("RCPT TO:<a@x.example>", patience_s=HUNG_S), NOTHING, "RCPT")
        summary = sink.end()
        expect_equal(c.answer(), GONE, "the connection")
    expect_equal(summary["domains"]["x.example"]["dropped"], 1, "dropped")
    expect(os.path.getsize(sink.export) > 0, "an export")


if __name__ == "__main__":
    sys.exit(ringpost.main(
        every_action_at_every_stage, delays_at_every_stage, each_domain_its_own, chunks_are_told_the_same, shares,
        connections_at_an_address, connections_for_a_domain, messages_and_recipients, rate, slow_reader,
        answers_before_a_close_arrive, an_unanswered_message_is_in_the_ledger, the_export_adds_up, summaries_are_bounded,
        latency_end_to_end, options_are_the_short_way, wrong_files_are_told, live, an_interrupt_ends_what_hangs))
