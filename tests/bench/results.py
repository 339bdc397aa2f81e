# SPDX-License-Identifier: Apache-2.0
"""Makes result files as run and compare write them, of servers that never were, for the tests of the report.

The figures are drawn with a fixed seed: the same arguments give the same file.
"""
import json
import random

# Name, messages a second, processor microseconds a message, median latency in ms and how far it spreads, MiB, sync.
SERVERS = {
    "floor": ("Bare receiver", 54200, 14.1, 1.6, 0.25, 6, "one write and one sync for all that is waiting"),
    "ringpost": ("ringpost", 39800, 21.0, 2.1, 0.35, 38, "one write and one sync for all messages of a turn"),
    "postfix": ("Postfix", 1260, 1300, 68, 0.4, 180, "one fsync of the queue file"),
    "exim": ("Exim", 1100, 1240, 80, 0.5, 240, "three fsyncs: data, header, log"),
    "opensmtpd": ("OpenSMTPD", 700, 1560, 130, 0.3, 95, "none"),
}

VERSIONS = {"postfix": "3.7.11", "exim": "4.96", "opensmtpd": "6.8.0p2"}


def latency(chance, middle_us, width, count):
    counts = {}
    for _ in range(count):
        value = middle_us * chance.lognormvariate(0, width)
        if chance.random() < 0.002:
            value *= 6
        power = 2 ** max(int(value).bit_length() - 7, 0)
        upper = (int(value) // power + 1) * power - 1
        counts[upper] = counts.get(upper, 0) + 1
    buckets = sorted([upper, n] for upper, n in counts.items())

    def percentile(percent):
        wanted, seen = percent * count / 100, 0
        for upper, n in buckets:
            seen += n
            if seen >= wanted:
                return upper
        return buckets[-1][0]

    return {"mean": sum(u * n for u, n in buckets) / count, "p50": percentile(50), "p90": percentile(90), "p99": percentile(99),
            "p99_9": percentile(99.9), "max": buckets[-1][0], "buckets": buckets}


def run(chance, target, number, step, load, seconds=20, values=1500, end_to_end=False):
    name, rate, cpu, ms, width, mib, _ = SERVERS[target]
    rate *= load * chance.uniform(0.95, 1.05)
    cpu *= chance.uniform(0.96, 1.04)
    timeline = []
    for s in range(seconds):
        ramp = min(1, (s + 1) / 3)
        now = rate * ramp * chance.uniform(0.93, 1.05)
        timeline.append({"s": s, "messages": round(now), "octets": round(now * 4096), "errors": 0, "sessions": 100,
                         "p50_us": ms * 1000 * chance.uniform(0.9, 1.1), "p99_us": ms * 2500 * chance.uniform(0.8, 1.5),
                         "target_cores": now * cpu / 1e6,
                         "target_rss_octets": int((mib + ramp * mib * 0.2 + s * 0.1) * (1 << 20))})
    latencies = {"accept": latency(chance, ms * 1000 * load, width, values)}
    if end_to_end:
        latencies["end_to_end"] = latency(chance, ms * 2200 * load, width * 1.3, values)
    metrics = {"rate": rate, "octets_per_s": rate * 4096, "messages": round(rate * seconds), "errors": 0, "target_cpu_us": cpu,
               "target_cpu_s": cpu * rate * seconds / 1e6, "target_rss_octets": int(mib * 1.2 * (1 << 20)),
               "generator_cpu_us": 9.5, "generator_busy": 0.62, "seconds": seconds}
    for kind, said in latencies.items():
        metrics |= {f"{kind}_{p}_us": said[p] for p in ("p50", "p99", "max")}
    return {"target": target, "round": number, "step": step, "started": f"2026-11-24T14:{number:02}:00+00:00", "metrics": metrics,
            "latencies": latencies, "timeline": timeline, "warnings": []}


def result(targets=("floor", "ringpost", "postfix"), steps=("",), rounds=5, seed=1, name="accept",
           when="2026-11-24T14:00:00+00:00", commit="0123456789abcdef", speed=1.0, **more):
    chance = random.Random(seed)
    runs = [run(chance, target, number, step, (i + 1) / len(steps) * (speed if target == "ringpost" else 1), **more)
            for number in range(1, rounds + 1) for target in targets for i, step in enumerate(steps)]
    return {
        "format": 1,
        "scenario": {"name": name, "description": "Messages of 4 KiB to one recipient over a hundred kept connections, answered "
                     "one by one; the next hop is down.", "text": f"name: {name}\nsend:\n  sessions: 100\n  size: 4KiB\n", "warm_up_s": 3},
        "when": when,
        "command": ["ringpost-bench", "compare", name, "--peers", ",".join(targets)],
        "machine": {"cpu": "AMD EPYC 7713 64-Core Processor", "cores": 2, "memory_octets": 24 << 30, "kernel": "Linux 6.18.5",
                    "file_system": "ext4", "device": "/dev/vda1", "sync_4k_us": {"p50": 162.0, "p99": 311.0},
                    "load_before": 0.21},
        "tool": {"version": "0.4.0", "commit": commit},
        "targets": {t: {"name": SERVERS[t][0], "version": VERSIONS.get(t, "0.4.0"), "sync": SERVERS[t][6], "note": "",
                        "settings": f"# settings of {t}\nhostname = mx.bench.example\n"} for t in targets},
        "runs": runs,
        "summary": [],
        "warnings": [],
    }


def write(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f)
    return path
