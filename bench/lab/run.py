# SPDX-License-Identifier: Apache-2.0
"""One run: a target with an empty spool, its next hop, its clients; what happened, as a result.Run.

The order of things: sink, target, idle sessions; then the clock, the meters and the senders start.  A run ends when the
senders that count have their last answer and, where the scenario asks, when the queue is empty.  Then the meters are read, and
only after that the rest is taken down, so that nobody pays for the tidying.
"""
from __future__ import annotations

import os
import re
import shutil
import sys
import time
from contextlib import ExitStack
from datetime import datetime, timezone

from lab import measure, result
from lab.scenario import Inline
from lab.target import Program, Target, TargetError, listens, option_words

LOOK_S = 0.02             # between looks at what runs
SENT_PATIENCE_S = 900     # a run whose senders take longer is given up
STANDSTILL_S = 60         # a queue that does not move for so long is given up
HOLDING_PATIENCE_S = 120  # until idle sessions are open
HOLD_WITHOUT_END_S = 1000000
SESSIONS_SHARE = 0.7      # of the limit of open files; the target needs some for itself
ERRORS = ("refused", "aborted", "unknown", "unsent", "sessions_failed", "sessions_lost")
BUSY_MAX = 0.95           # of a core: a thread of ours that uses more has none left
IDLE_CORES_MIN = 0.2      # a thread of ours that has none left is to blame only where others are
LATE_MIN_US = 1000        # a message begun less late than that by our own doing does not matter


class Live:
    """A line about what goes on, for whoever looks; nothing when nobody does."""

    def __init__(self, to=sys.stderr):
        self.to, self.on, self.at = to, to.isatty(), 0.0

    def say(self, text):
        now = time.monotonic()
        if self.on and now - self.at > 0.2:
            self.at = now
            width = shutil.get_terminal_size().columns - 1
            self.to.write("\r" + text[:width].ljust(width))
            self.to.flush()

    def clear(self):
        if self.on:
            self.to.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            self.to.flush()
            self.at = 0.0


class Stage:
    """What takes part in one run of a plan; all of it ends with the run."""

    def __init__(self, plan, peer, directory, ports, descriptors, live, title):
        self.plan, self.peer, self.directory, self.title = plan, peer, directory, title
        self.scenario, self.live, self.descriptors = plan.scenario, live, descriptors
        self.port, self.sink_port = ports
        self.sinks, self.senders, self.holder, self.target = [], [], None, None
        self.warnings, self.metrics, self.events = [], {}, []
        self.drain_from = None

    # --- going up

    def path(self, name):
        return os.path.join(self.directory, name)

    def words(self, name, options):
        """Options for a program's command line; texts that are files are made files."""
        settled = {}
        for key, value in options.items():
            if isinstance(value, Inline):
                settled[key] = self.path(f"{name}-{key}")
                with open(settled[key], "w", encoding="utf-8") as file:
                    file.write(value.text)
            else:
                settled[key] = value
        return option_words(settled)

    def sink_start(self):
        words = ["--listen", f"127.0.0.1:{self.sink_port}", "--json", *self.words("sink", self.plan.sink)]
        if self.scenario.ledger:
            words += ["--ledger", self.path("received")]
        sink = Program("sink", words, self.directory, f"sink-{len(self.sinks)}")
        self.sinks.append(sink)
        self.wait("the sink to listen", lambda: listens(self.sink_port), sink, 30)

    def wait(self, what, condition, program, patience):
        end = time.monotonic() + patience
        while not condition():
            if not program.running():
                program.json()  # says what it said
                raise TargetError(f"{program.name} ended while we waited for {what}")
            if time.monotonic() > end:
                raise TargetError(f"{what}: not within {patience} s")
            time.sleep(LOOK_S)

    def holder_start(self):
        """Idle sessions, as many as there are descriptors for."""
        options = dict(self.plan.idle)
        wanted = options.pop("sessions", 0)
        bearable = int(self.descriptors * SESSIONS_SHARE)
        if wanted > bearable:
            self.warnings.append(f"{bearable} idle sessions instead of {wanted}: we may have only {self.descriptors} open "
                                 "files (ulimit -n)")
            wanted = bearable
        if not wanted:
            return
        before = self.target.memory_octets()
        words = ["--to", f"127.0.0.1:{self.port}", "--sessions", str(wanted), "--seconds", str(HOLD_WITHOUT_END_S),
                 *self.words("idle", options)]
        holder = self.holder = Program("idle", words, self.directory, "idle")
        self.wait("the idle sessions to open", lambda: "holding" in holder.out(), holder, HOLDING_PATIENCE_S)
        held = int(holder.out().split("holding ", 1)[1].split()[0])
        if held:
            self.metrics["idle_sessions"] = held
            self.metrics["session_octets"] = (self.target.memory_octets() - before) / held

    def sender_start(self, sender):
        words = ["--to", f"127.0.0.1:{self.port}", "--json",
                 *self.words(f"send-{sender.name}", sender.options)]
        if self.scenario.warm_up_s and not sender.background:
            words += ["--warm-up", f"{self.scenario.warm_up_s:.0f}"]
        if self.scenario.ledger and not sender.background:
            words += ["--ledger", self.path(f"sent-{sender.name}")]
        return Program("send", words, self.directory, f"send-{sender.name}")

    # --- going on

    def event(self, event):
        if event.do == "restart":
            self.target.stop()
            self.target.start()
        elif event.do == "kill":
            self.target.kill()
            self.target.start()
        elif event.do == "next-hop-down":
            for sink in self.sinks:
                sink.stop()
        elif event.do == "next-hop-up":
            self.sink_start()
            if event.at == "sent":
                self.drain_from = time.monotonic()
        elif not self.target.flush():
            self.warnings.append(f"{self.peer.word} cannot be asked to try its queue now; its own schedule decides")
        self.events.append({"s": round(time.monotonic() - self.began, 3), "do": event.do})

    def events_run(self, waiting, now):
        """Does what is due of a list of events, and takes it out."""
        while waiting and waiting[0].at <= now:
            self.event(waiting.pop(0))

    def tell(self, what):
        """The live line: what goes on, how long, and what the meters last saw of the target."""
        passed = time.monotonic() - self.began
        planned = max((s.options.get("seconds", 0) for s in self.plan.senders if not s.background), default=0)
        planned += self.scenario.warm_up_s if planned else 0
        text = f"{self.title}: {what}, {passed:.0f} s" if passed > planned else \
            f"{self.title}: {what}, {passed:.0f} of {planned:.0f} s"
        if self.sampler.samples:
            last = self.sampler.samples[-1]
            text += f"; {last.target_cores:.2f} cores, {result.octets(last.target_rss_octets)}"
        self.live.say(text)

    def senders_await(self):
        timed = sorted((e for e in self.plan.events if not isinstance(e.at, str)), key=lambda e: e.at)
        counted = [program for sender, program in self.senders if not sender.background]
        while True:
            now = time.monotonic()
            self.events_run(timed, now - self.began)
            if not [program for program in counted if program.running()]:
                break
            if now - self.began > SENT_PATIENCE_S:
                self.warnings.append(f"the senders were ended after {SENT_PATIENCE_S} s")
                for program in counted:
                    program.stop()
                break
            self.tell("sending")
            time.sleep(LOOK_S)
        for event in self.plan.events:
            if event.at == "sent":
                self.event(event)

    def queue_await(self):
        """Returns when the queue is empty: the time of the look that found it so."""
        left, moved = None, time.monotonic()
        while True:
            looked = time.monotonic()
            queue = self.target.queue()
            if queue == 0:
                return looked
            if queue is None:
                self.warnings.append(f"{self.peer.word} does not tell the length of its queue; delivery was not awaited")
                return looked
            if queue != left:
                left, moved = queue, looked
            elif looked - moved > STANDSTILL_S:
                self.warnings.append(f"{queue} messages were still queued, and for {STANDSTILL_S} s none left")
                return moved
            self.tell(f"{queue} queued")
            # Looking costs processor time that the target could use; when the last message arrived is the sink's to say.
            time.sleep(max(0.1, 5 * (time.monotonic() - looked)))

    # --- the whole

    def perform(self, run):
        with ExitStack() as undo:
            undo.callback(self.take_down)
            down_at_first = any(e.at == "start" and e.do == "next-hop-down" for e in self.plan.events)
            to_sink = self.plan.target.next_hop == "sink"
            if to_sink and not down_at_first:
                self.sink_start()
            self.target = Target(self.peer, self.directory, self.port,
                                 f"127.0.0.1:{self.sink_port}" if to_sink else "down", self.plan.target)
            self.target.start()
            self.holder_start()
            self.measured(run)

    def measured(self, run):
        sampler = self.sampler = measure.Sampler(self.target.keeper.pid, self.target.account,
                                  self.target.queue if self.scenario.watch_queue else None)
        machine, cpu = measure.machine_now(), self.target.cpu_s()
        self.began = time.monotonic()
        sampler.start()
        try:
            for sender in self.plan.senders:
                self.senders.append((sender, self.sender_start(sender)))
            if self.senders:
                self.senders_await()
            else:
                while time.monotonic() - self.began < self.plan.hold_s:
                    self.tell("holding")
                    time.sleep(LOOK_S)
            ended = self.queue_await() if self.scenario.until == "delivered" else time.monotonic()
            cpu = self.target.cpu_s() - cpu
            after = measure.machine_now()
            self.warnings += measure.machine_warnings(machine, after)
            self.metrics["idle_cores"] = measure.idle_cores(machine, after)
            memory = self.target.memory_octets()
        finally:
            sampler.stop()
        for sender, program in self.senders:
            program.stop()
        for program in self.sinks + ([self.holder] if self.holder else []):
            program.stop()
        self.figures(run, cpu, max(memory, sampler.peak_octets()), ended, sampler)

    def take_down(self):
        for _, program in self.senders:
            program.kill()
        for program in self.sinks + ([self.holder] if self.holder else []):
            program.kill()
        if self.target:
            self.target.close()

    # --- figures

    def figures(self, run, cpu_s, memory, ended, sampler):
        said = [program.json() for sender, program in self.senders if not sender.background]
        others = [program.json() for sender, program in self.senders if sender.background]
        sinks = [program.json() for program in self.sinks]
        m = {"target_cpu_s": cpu_s, "target_rss_octets": memory, "cpu_exact": int(self.target.account.how == "control group")}
        if said:
            m |= sender_metrics(said, others)
            if m["messages_all"]:
                m["target_cpu_us"] = cpu_s * 1e6 / m["messages_all"]
        if sinks:
            m["delivered"] = sum(sink.get("messages", 0) for sink in sinks)
            m["sink_cpu_s"] = sum(cpu_of(sink) for sink in sinks)
        if self.scenario.until == "delivered" and sinks and self.peer.delivers:
            self.relay_metrics(m, said, sinks, ended)
        m |= self.holder_metrics()
        if self.scenario.ledger and sinks:
            m |= self.balance()
        m |= self.metrics
        latencies = {"accept": result.latencies_merge([accept_latency(one) for one in said]),
                     "commit": result.latencies_merge([one.get("commit_us") for one in said]),
                     "connect": result.latencies_merge([one.get("connect_us") for one in said]),
                     "end_to_end": result.latencies_merge([one.get("end_to_end_us") for one in sinks])}
        run.latencies = {name: latency for name, latency in latencies.items() if latency.get("max")}
        for name in ("accept", "end_to_end"):
            for quantile in ("p50", "p99", "max"):
                if quantile in run.latencies.get(name, {}):
                    m[f"{name}_{quantile}_us"] = run.latencies[name][quantile]
        line = timeline(sampler, said)
        if any(e.do in ("restart", "kill") for e in self.plan.events):
            m["silence_s"] = silence(line)
        run.metrics = {name: round(value, 6) if isinstance(value, float) else value for name, value in m.items()}
        run.timeline = line
        run.events = self.events
        idle = m["idle_cores"]
        self.warnings += bottleneck_warnings(said + others, "sender", idle) + bottleneck_warnings(sinks, "sink", idle)
        ungreeted = sum(one.get("sessions_ungreeted", 0) for one in said)
        if ungreeted:
            self.warnings.append(f"{ungreeted} clients were not greeted to the end, so fewer took part than it says")
        expected = self.plan.events or any(key.startswith(("refuse", "close", "behaviour")) for key in self.plan.sink)
        if m.get("errors") and not expected:
            self.warnings.append(f"{m['errors']} errors: {troubles(said)}")
        run.warnings = self.warnings

    def relay_metrics(self, m, said, sinks, looked):
        """Rates are end to end: of what arrived, from the first message, or from when the next hop came up, to the last.

        looked: when the queue was seen to be empty, which counts where not everything arrived.
        """
        # What is delivered cannot be told from what was delivered for the warm-up, so that is in.
        began = "started_ns" if self.scenario.warm_up_s else "first_ns"
        first = min((one[began] / 1e9 for one in said if one.get(began)), default=self.began)
        last = max((one.get("last_ns", 0) / 1e9 for one in sinks), default=0)
        whole = m["delivered"] >= m["messages_all"]
        m["fill_rate" if self.drain_from else "accept_rate"] = m["rate"]
        m["seconds"] = max((last if whole and last else looked) - (self.drain_from or first), 1e-3)
        m["rate"] = min(m["delivered"], m["messages_all"]) / m["seconds"]
        m["octets_per_s"] = m["octets"] / max(m["messages"], 1) * m["rate"]
        if not whole:
            self.warnings.append(f"{m['messages_all'] - m['delivered']} of {m['messages_all']} messages did not arrive")

    def holder_metrics(self):
        if not self.holder:
            return {}
        # "open N, failed M, lost K"
        counts = dict(re.findall(r"(failed|lost) (\d+)", self.holder.out()))
        failed = sum(map(int, counts.values()))
        if failed:
            self.warnings.append(f"{failed} idle sessions failed or were lost")
        return {"idle_failed": failed}

    def balance(self):
        """The ledgers against one another; a message twice after a crash is allowed, one that is lost is not."""
        sent = self.path("sent")
        with open(sent, "wb") as out:
            for sender, _ in self.senders:
                if not sender.background:
                    with open(self.path(f"sent-{sender.name}"), "rb") as file:
                        shutil.copyfileobj(file, out)
        balance = Program("ledger", ["--json", sent, self.path("received")], self.directory, "balance")
        balance.child.wait(300)
        found = balance.json()
        if found["missing"]:
            self.warnings.append(f"{found['missing']} messages were answered 250 and are lost")
        return {name: found[name] for name in ("missing", "duplicates", "unknown")}


def cpu_of(said):
    return said.get("cpu_user_s", 0) + said.get("cpu_system_s", 0)


def accept_latency(said):
    return said.get("latency_us") or said.get("transaction_us")


def messages_all(said):
    """With those of the warm-up, which cost the target as much as any."""
    return max(said["messages"], sum(point.get("messages", 0) for point in said.get("timeline", ())))


def sender_metrics(said, others):
    """What the senders that count say; the background's messages are counted only for what they cost the target."""
    m = {name: sum(one.get(name, 0) for one in said) for name in ("messages", "octets", "rate")}
    m["seconds"] = max(one["seconds"] for one in said)
    m["octets_per_s"] = sum(one["octets"] / one["seconds"] for one in said if one["seconds"])
    m["errors"] = sum(one.get(name, 0) for one in said for name in ERRORS)
    m["messages_all"] = sum(messages_all(one) for one in said + others)
    cpu = sum(cpu_of(one) for one in said + others)
    m["generator_cpu_s"] = cpu
    measured = sum(one["messages"] for one in said + others)
    if measured:
        m["generator_cpu_us"] = cpu * 1e6 / measured  # a sender leaves its warm-up out of its processor time, too
    m["generator_busy"] = max(one.get("busy", 0) for one in said + others)
    return m


def bottleneck_warnings(several, what, idle_cores):
    """Did a program of ours, rather than the target, decide the figures?

    In closed loop somebody is always at his limit.  It is our fault when a thread of ours had no more to give although
    the machine had.  When nothing was idle, the machine was the limit, which all shared: the method says so, and cost
    rather than rate is then the figure.  In open loop it is our fault when messages were begun late though sessions were free.
    """
    for one in several:
        if one.get("busy", 0) > BUSY_MAX and idle_cores > IDLE_CORES_MIN:
            return [f"the {what} was the bottleneck: its busiest thread used {100 * one['busy']:.0f} % of a core while "
                    f"{idle_cores:.2f} of one stood idle; give it more cores"]
        late, latency = ((one.get(key) or {}).get("p99", 0) for key in ("late_us", "latency_us"))
        if late > LATE_MIN_US and late > latency / 2:
            return [f"the {what} was late: it began one message in a hundred more than {result.microseconds(late)} late though a "
                    f"session was free, which is in the latency, whose p99 is {result.microseconds(latency)}"]
    return []


def troubles(said):
    counts = {"due and never begun": sum(one.get("unsent", 0) for one in said)}
    for one in said:
        for key in ("replies", "connections"):
            for what, count in one.get(key, {}).items():
                counts[what] = counts.get(what, 0) + count
    worst = sorted((what for what in counts if counts[what]), key=counts.get, reverse=True)[:4]
    return ", ".join(f"{what} ({counts[what]})" for what in worst) or "no reason was given"


def timeline(sampler, said):
    """What the senders and the meters saw, second by second."""
    points = {point["s"]: point for point in result.timelines_merge([one.get("timeline", []) for one in said])}
    for sample in sampler.samples:
        point = points.setdefault(sample.s, {"s": sample.s})
        point["target_cores"] = round(sample.target_cores, 4)
        point["target_rss_octets"] = sample.target_rss_octets
        if sample.queue is not None:
            point["queue"] = sample.queue
    return [points[s] for s in sorted(points)]


def silence(line):
    """The longest stretch of whole seconds without a message, between the first second with one and the last."""
    busy = [point["s"] for point in line if point.get("messages")]
    return max((after - before - 1 for before, after in zip(busy, busy[1:])), default=0)


def now():
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def perform(plan, peer, number, lab, title, settings):
    """A plan against a peer, once: a result.Run.  Where it fails, the run has no figures and its warning says why.

    settings: {peer's word: text of its settings}, filled as we learn them.
    """
    run = result.Run(peer.word, number, plan.label, now())
    directory = os.path.join(lab.directory, f"{number}-{peer.name}")
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    os.chmod(directory, 0o755)  # a server may give up its rights before it looks
    stage = Stage(plan, peer, directory, (lab.ports.take(), lab.ports.take()), lab.descriptors, lab.live, title)
    try:
        stage.perform(run)
        settings[peer.word] = stage.target.settings
    except TargetError as error:
        run.metrics, run.warnings = {}, stage.warnings + [f"no figures: {error}"]
        if lab.keep:
            lab.kept.append(directory)
            return run
    shutil.rmtree(directory, ignore_errors=True)
    return run
