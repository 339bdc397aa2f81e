# SPDX-License-Identifier: Apache-2.0
"""The machine: what it is, and how fast its disk makes a small write durable."""
from __future__ import annotations

import os
import re
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass, field

SYNC_TIMES = 200
SYNC_OCTETS = 4096
NOT_DISKS = ("tmpfs", "ramfs", "overlay")


@dataclass
class Facts:
    """The key "machine" of a result."""
    cpu: str = ""
    cores: int = 0
    memory_octets: int = 0
    kernel: str = ""
    file_system: str = ""
    device: str = ""
    sync_4k_us: dict = field(default_factory=dict)
    load_before: float = 0

    def line(self):
        sync = f", sync of 4 KiB {self.sync_4k_us['p50']:.0f} µs" if self.sync_4k_us else ""
        return (f"{self.cores} × {self.cpu}, {self.memory_octets / (1 << 30):.0f} GiB, {self.kernel}, "
                f"{self.file_system} on {self.device}{sync}")

    def as_dict(self):
        return asdict(self)


def mount_of(path, text):
    """(file system, device) that hold a path, by the text of /proc/self/mountinfo."""
    path, best, found = os.path.realpath(path), -1, ("", "")
    for line in text.split("\n"):
        left, _, right = line.partition(" - ")
        if not right:
            continue
        where = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), left.split()[4])
        if (path == where or path.startswith(where.rstrip("/") + "/")) and len(where) >= best:
            best, found = len(where), tuple(right.split()[:2])
    return found


def percentile(values, percent):
    """The smallest value that so many of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def sync_yardstick(directory, times=SYNC_TIMES):
    """Microseconds that a write of 4 KiB and fdatasync take: what no durable receiver can go below."""
    path = os.path.join(directory, "sync-yardstick")
    block, took = os.urandom(SYNC_OCTETS), []
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        os.posix_fallocate(fd, 0, times * SYNC_OCTETS)
        os.fsync(fd)
        for i in range(times):
            began = time.perf_counter_ns()
            os.pwrite(fd, block, i * SYNC_OCTETS)
            os.fdatasync(fd)
            took.append((time.perf_counter_ns() - began) / 1e3)
    finally:
        os.close(fd)
        os.unlink(path)
    return {"p50": round(statistics.median(took), 1), "p99": round(percentile(took, 99), 1)}


def sync_warnings(before, after):
    """Was the disk slow, or did it become so while we measured?"""
    warnings = []
    if before["p50"] > 5000:
        warnings.append(f"the disk is slow: a sync of 4 KiB takes {before['p50'] / 1000:.1f} ms")
    if before["p99"] > 20 * before["p50"] and before["p99"] > 5000:
        warnings.append(f"the disk is uneven: a sync of 4 KiB takes {before['p50']:.0f} µs, and one of a hundred more "
                        f"than {before['p99'] / 1000:.1f} ms")
    if after and max(after["p50"], before["p50"]) > 2 * min(after["p50"], before["p50"]):
        warnings.append(f"the disk changed while we measured: a sync of 4 KiB took {before['p50']:.0f} µs before and "
                        f"{after['p50']:.0f} µs after")
    return warnings


def load():
    return os.getloadavg()[0]


def facts(directory):
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        model = re.search(r"^model name\s*:\s*(.*)", file.read(), re.M)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        file_system, device = mount_of(directory, file.read())
    return Facts(cpu=model.group(1) if model else os.uname().machine, cores=len(os.sched_getaffinity(0)),
                 memory_octets=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
                 kernel=f"Linux {os.uname().release}", file_system=file_system, device=device,
                 sync_4k_us=sync_yardstick(directory), load_before=round(load(), 2))


def warnings(facts_before):
    """What makes the machine unfit from the start."""
    found = []
    if facts_before.file_system in NOT_DISKS:
        found.append(f"{facts_before.file_system} is no disk: nothing is made durable there; name a directory of one by "
                     "--dir")
    if facts_before.load_before > 0.5 * facts_before.cores:
        found.append(f"the load was {facts_before.load_before:.2f} before anything began")
    return found


def source_commit(directory):
    """The commit of the tree that holds a directory, "" when it is none; with + when files differ from it."""
    try:
        done = subprocess.run(["git", "-C", directory, "describe", "--always", "--abbrev=12", "--dirty=+",
                               "--exclude=*"], capture_output=True, encoding="utf-8", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
