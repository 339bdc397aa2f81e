# SPDX-License-Identifier: Apache-2.0
"""Processor time and memory: of the target with all its children, of everybody else, second by second.

A server that forks, as Postfix and Exim do for each message, is more than a process: most of its work is done by
children that live for milliseconds.  Two ways count them all.  A control group (of cpuacct, or of the unified
hierarchy) adds up what every process in it ever used; it takes the right to make one.  Else the tree: the target runs below a
keeper (keeper.py) that adopts orphans, so what ended and was waited for is in the children's times of a process that still lives,
and what still lives is in its own.  Only children of a parent that ignores SIGCHLD escape the tree; Account.how says which way it
was, and results carry it.

What others used is counted the same way, over all processes of the machine that are not below us: the sum of own and
children's times is kept when a process ends, because its parent inherits it.
"""
from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass, field

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
GROUP = "ringpost-bench-"  # and the keeper's number
PSS_PROCESSES_MAX = 64

# What makes a run doubtful.
OTHERS_CORES_MAX = 0.05
UNSEEN_CORES_MAX = 0.25  # /proc/stat counts by ticks, so small differences mean nothing
STEAL_CORES_MAX = 0.02


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    name: str
    own_s: float       # user and system time
    children_s: float  # of children that were waited for
    resident: int      # octets


def process_parse(text):
    """/proc/PID/stat; the name stands in brackets and may hold anything."""
    head, _, tail = text.rpartition(")")
    pid, _, name = head.partition(" (")
    fields = tail.split()
    return Process(int(pid), int(fields[1]), name, (int(fields[11]) + int(fields[12])) / TICK,
                   (int(fields[13]) + int(fields[14])) / TICK, int(fields[21]) * PAGE)


def processes():
    """{pid: Process} of the machine.  One that ends meanwhile is not in it."""
    table = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"/proc/{entry.name}/stat", encoding="utf-8", errors="replace") as file:
                    process = process_parse(file.read())
            except (FileNotFoundError, ProcessLookupError):
                continue
            table[process.pid] = process
    return table


def descendants(table, root):
    """Pids below root, without it."""
    children = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    found, waiting = [], list(children.get(root, ()))
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, ())
    return found


def tree_cpu_s(table, root):
    """Of all that runs or ran below root."""
    if root not in table:
        return 0.0
    return table[root].children_s + sum(table[pid].own_s + table[pid].children_s for pid in descendants(table, root))


def proportional_octets(pid):
    """Memory of a process, of pages that are shared its share; None when we may not know."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1)) * 1024
    except (OSError, AttributeError):
        return None


def memory_octets(table, root):
    """Memory of all that runs below root, in proportional shares.  Of many processes some are asked and stand for the others:
    asking takes time, and resident sizes count what all of them share once for each."""
    pids = descendants(table, root)
    resident = proportional = 0
    for pid in pids[::max(1, -(-len(pids) // PSS_PROCESSES_MAX))]:
        share = proportional_octets(pid)
        resident += table[pid].resident
        proportional += table[pid].resident if share is None else share
    return round(sum(table[pid].resident for pid in pids) * proportional / resident) if resident else 0


# --- the target -------------------------------------------------------------------------------------------------

class ControlGroup:
    """A group of our own that counts processor time; who is put in stays in with all children."""

    how = "control group"

    def __init__(self, path, counter):
        self.path, self.counter = path, counter

    @classmethod
    def make(cls, name):
        """One, or None where we may not."""
        for parent, counter in cls.places():
            cls.sweep(parent)
            path = os.path.join(parent, name)
            try:
                os.mkdir(path)
            except OSError:
                continue
            group = cls(path, counter)
            try:
                group.cpu_s()
            except (OSError, AttributeError):
                group.remove()
                continue
            return group
        return None

    @staticmethod
    def sweep(parent):
        """Removes what a run left that was killed: groups of nobody, named after a keeper that is gone."""
        for name in os.listdir(parent):
            if name.startswith(GROUP) and not os.path.exists(f"/proc/{name.removeprefix(GROUP)}"):
                try:
                    os.rmdir(os.path.join(parent, name))
                except OSError:
                    pass  # somebody is in it after all

    @staticmethod
    def places():
        """Where a group may be made: below our own in each hierarchy that counts."""
        mounts = {}
        with open("/proc/self/mounts", encoding="ascii", errors="replace") as file:
            for line in file:
                _, where, kind, options, *_ = line.split()
                if kind == "cgroup2":
                    mounts[""] = where
                elif kind == "cgroup" and "cpuacct" in options.split(","):
                    mounts["cpuacct"] = where
        with open("/proc/self/cgroup", encoding="ascii", errors="replace") as file:
            for line in file:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                for controller in controllers.split(","):
                    if controller in mounts:
                        counter = "cpuacct.usage" if controller else "cpu.stat"
                        yield mounts[controller] + path.rstrip("/"), counter

    def enter(self, pid):
        """False: it may not, so the tree must do."""
        try:
            with open(os.path.join(self.path, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write(str(pid))
        except OSError:
            return False
        return True

    def cpu_s(self):
        with open(os.path.join(self.path, self.counter), encoding="ascii") as file:
            text = file.read()
        if self.counter == "cpuacct.usage":
            return int(text) / 1e9
        return int(re.search(r"^usage_usec (\d+)", text, re.M).group(1)) / 1e6

    def remove(self):
        for _ in range(50):  # a process that was killed leaves its group a moment later
            try:
                os.rmdir(self.path)
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.02)


class Tree:
    """The same by /proc, in ticks."""

    how = "process tree"

    def __init__(self, keeper):
        self.keeper = keeper

    def cpu_s(self):
        return tree_cpu_s(processes(), self.keeper)

    def remove(self):
        pass


def account(keeper):
    """What counts the processor time of everything below this process, which has no children yet."""
    group = ControlGroup.make(f"{GROUP}{keeper}")
    if group and group.enter(keeper):
        return group
    if group:
        group.remove()
    return Tree(keeper)


# --- everybody else ---------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Machine:
    """What the machine had done so far."""
    at: float          # seconds
    others_s: float    # processor time of processes that are neither ours nor the kernel's
    ours_s: float
    processes_s: float  # of all processes
    busy_s: float      # user, nice and system, by /proc/stat
    steal_s: float
    idle_s: float      # of all cores
    each: dict         # {(pid, name): seconds} of the others


def stat_parse(text):
    """(busy, steal, idle) seconds from /proc/stat.  Who waits for the disk leaves a core idle."""
    fields = [int(word) / TICK for word in text.split("\n", 1)[0].split()[1:]]
    return fields[0] + fields[1] + fields[2], fields[7] if len(fields) > 7 else 0.0, fields[3] + fields[4]


def machine_now(root=None):
    """root: the process whose tree is ours."""
    table = processes()
    root = root or os.getpid()
    ours = {root, *descendants(table, root)}
    each, total, our = {}, 0.0, 0.0
    for process in table.values():
        used = process.own_s + process.children_s
        total += used
        our += used if process.pid in ours else 0
        kernel = process.pid == 2 or process.parent == 2
        if process.pid not in ours and not kernel:
            each[process.pid, process.name] = used
    with open("/proc/stat", encoding="ascii") as file:
        busy, steal, idle = stat_parse(file.read())
    return Machine(time.monotonic(), sum(each.values()), our, total, busy, steal, idle, each)


def idle_cores(before, after):
    """How many cores nobody used between the two."""
    return max(0.0, (after.idle_s - before.idle_s) / max(after.at - before.at, 1e-9))


def machine_warnings(before, after):
    """Was the machine busy with something else between the two?"""
    seconds = max(after.at - before.at, 1e-9)
    others = (after.others_s - before.others_s) / seconds
    # One that ends while we read the table moves its whole past to its parent, which may have been read already; what was
    # not used at all in this time cannot be.
    others = min(others, (after.busy_s - before.busy_s - after.ours_s + before.ours_s) / seconds)
    unseen = ((after.busy_s - before.busy_s) - (after.processes_s - before.processes_s)) / seconds
    steal = (after.steal_s - before.steal_s) / seconds
    warnings = []
    if others > OTHERS_CORES_MAX:
        used = {key: value - before.each.get(key, 0) for key, value in after.each.items()}
        worst = max(used, key=used.get, default=None)
        name = f", most of it {worst[1]} ({worst[0]})" if worst and used[worst] > 0 else ""
        warnings.append(f"the machine was busy with something else: {others:.2f} of a core{name}")
    elif unseen > UNSEEN_CORES_MAX:
        warnings.append(f"the machine was busy with something that is no process here: {unseen:.2f} of a core")
    if steal > STEAL_CORES_MAX:
        warnings.append(f"the hypervisor took {steal:.2f} of a core for others")
    return warnings


# --- second by second ---------------------------------------------------------------------------------------------

@dataclass
class Sample:
    s: int
    target_cores: float
    target_rss_octets: int
    queue: int | None = None


@dataclass
class Sampler:
    """Looks at a target each second, on a thread of its own, from start() to stop()."""
    keeper: int
    account: object
    queue: object = None  # a function that tells the length of the queue, or None
    samples: list[Sample] = field(default_factory=list)

    def start(self):
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._began = time.monotonic()
        self._thread.start()

    def stop(self):
        self._over.set()
        self._thread.join()

    def peak_octets(self):
        return max((sample.target_rss_octets for sample in self.samples), default=0)

    def _run(self):
        cpu, at, second = self.account.cpu_s(), time.monotonic(), 0
        while not self._over.wait(max(0.0, self._began + second + 1 - time.monotonic())):
            now_cpu, now = self.account.cpu_s(), time.monotonic()
            memory = memory_octets(processes(), self.keeper)
            sample = Sample(second, (now_cpu - cpu) / (now - at), memory)
            if self.queue:
                sample.queue = self.queue()
            self.samples.append(sample)
            cpu, at = now_cpu, now
            second = max(second + 1, int(time.monotonic() - self._began))
