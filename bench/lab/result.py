# SPDX-License-Identifier: Apache-2.0
"""Results: what one run gave, what several say together, the file and the table they become.

The file's format is described in docs/benchmark.md; FORMAT changes when something there changes its meaning.
"""
from __future__ import annotations

import json
import os
import statistics
from dataclasses import asdict, dataclass, field

FORMAT = 1
QUANTILES = (("p50", 50), ("p90", 90), ("p99", 99), ("p99_9", 99.9))


@dataclass
class Run:
    """One target, one step, one round."""
    target: str
    round: int
    step: str
    started: str
    metrics: dict = field(default_factory=dict)
    latencies: dict = field(default_factory=dict)
    timeline: list = field(default_factory=list)
    events: list = field(default_factory=list)
    warnings: list = field(default_factory=list)


# --- latencies ----------------------------------------------------------------------------------------------------

def latencies_merge(several):
    """One latency object of several, by their buckets; with one, it as it is."""
    several = [one for one in several if one]
    if len(several) <= 1 or any(not one.get("buckets") for one in several):
        return several[0] if several else {}
    counts, total, sums = {}, 0, 0.0
    for one in several:
        mine = 0
        for upper, count in one["buckets"]:
            counts[upper] = counts.get(upper, 0) + count
            mine += count
        total += mine
        sums += one.get("mean", 0) * mine
    buckets = sorted([upper, count] for upper, count in counts.items())
    merged = {"mean": sums / total if total else 0, "max": max(one.get("max", 0) for one in several)}
    for name, percent in QUANTILES:
        merged[name] = min(buckets_percentile(buckets, percent), merged["max"])
    return {**merged, "buckets": buckets}


def buckets_percentile(buckets, percent):
    """The upper end of the bucket that so many fall into or below."""
    total = sum(count for _, count in buckets)
    wanted, seen = total * percent / 100, 0
    for upper, count in buckets:
        seen += count
        if seen >= wanted:
            return upper
    return 0


def timelines_merge(several):
    """One timeline of several senders': counts are added, of percentiles the worst stands."""
    seconds = {}
    for line in several:
        for point in line:
            at = seconds.setdefault(point["s"], {"s": point["s"]})
            for key, value in point.items():
                if key == "s":
                    continue
                if key.endswith("_us"):
                    at[key] = max(at.get(key, 0), value)
                else:
                    at[key] = at.get(key, 0) + value
    return [seconds[s] for s in sorted(seconds)]


# --- several rounds ---------------------------------------------------------------------------------------------

def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratio(value, base):
    return value / base if base else None


def summary(runs, targets):
    """What each target and step gave over all rounds, and how that compares with every other target.

    Ratios are of medians; ratio_ranges are the least and the greatest of the rounds' own ratios, so that what both met
    in a round cancels out.
    """
    groups = {}
    runs = [run for run in runs if run.metrics]  # one that failed has none
    for run in runs:
        groups.setdefault((run.step, run.target), []).append(run)
    steps = list(dict.fromkeys(run.step for run in runs))
    out = []
    for step in steps:
        for target in targets:
            mine = groups.get((step, target))
            if not mine:
                continue
            row = {"target": target, "step": step, "rounds": len(mine),
                   "metrics": {name: spread(values) for name, values in columns(mine).items()},
                   "ratios": {}, "ratio_ranges": {}}
            for base in targets:
                theirs = groups.get((step, base))
                if base != target and theirs:
                    row["ratios"][base], row["ratio_ranges"][base] = ratios(mine, theirs)
            out.append(row)
    return out


def columns(runs):
    """{metric: its values}, of metrics that every run has."""
    names = [name for name, value in runs[0].metrics.items() if isinstance(value, (int, float))]
    return {name: [run.metrics[name] for run in runs] for name in names
            if all(isinstance(run.metrics.get(name), (int, float)) for run in runs)}


def ratios(mine, theirs):
    """({metric: ratio of medians}, {metric: [least, greatest ratio of a round]})"""
    my, their = columns(mine), columns(theirs)
    rounds = {run.round: run for run in theirs}
    whole, ranges = {}, {}
    for name in my:
        if name not in their:
            continue
        value = ratio(statistics.median(my[name]), statistics.median(their[name]))
        if value is None:
            continue
        each = [ratio(run.metrics[name], rounds[run.round].metrics[name]) for run in mine if run.round in rounds]
        each = [one for one in each if one is not None]
        whole[name] = round(value, 4)
        if each:
            ranges[name] = [round(min(each), 4), round(max(each), 4)]
    return whole, ranges


# --- the file ------------------------------------------------------------------------------------------------------

def document(scenario, when, command, facts, tool, targets, runs, warnings):
    """The whole result; runs are Run, targets {word: facts}."""
    return {
        "format": FORMAT,
        "scenario": {"name": scenario.name, "description": scenario.description, "text": scenario.text,
                     "warm_up_s": scenario.warm_up_s},
        "when": when, "command": command, "machine": facts, "tool": tool, "targets": targets,
        "runs": [asdict(run) for run in runs],
        "summary": summary(runs, list(targets)),
        "warnings": warnings,
    }


def write(path, whole):
    """As a whole or not at all."""
    part = f"{path}.part"
    with open(part, "w", encoding="utf-8") as file:
        json.dump(whole, file, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        file.write("\n")
    os.replace(part, path)


# --- the table -----------------------------------------------------------------------------------------------------

def number(value):
    """A figure with three digits that say something."""
    if value is None:
        return "-"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2f}"


def multiple(value):
    """A ratio."""
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def octets(value):
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} B"


def microseconds(value):
    return f"{value / 1e6:.3g} s" if value >= 1e6 else f"{value / 1e3:.3g} ms" if value >= 1e3 else f"{value:.3g} µs"


# Metric, heading, how it is written.  What no row has, or is nought in all of them, is left out.
COLUMNS = (
    ("rate", "messages/s", number),
    ("fill_rate", "filled/s", number),
    ("octets_per_s", "data/s", octets),
    ("accept_p50_us", "accept p50", microseconds),
    ("accept_p99_us", "p99", microseconds),
    ("end_to_end_p50_us", "end to end p50", microseconds),
    ("end_to_end_p99_us", "p99", microseconds),
    ("target_cpu_us", "CPU/message", microseconds),
    ("target_rss_octets", "memory", octets),
    ("idle_sessions", "idle", number),
    ("session_octets", "per session", octets),
    ("silence_s", "silence s", number),
    ("missing", "lost", number),
    ("duplicates", "twice", number),
    ("errors", "errors", number),
)
ALWAYS = ("rate", "target_cpu_us")


def half_width(metric):
    """Half of what lies between the least and the greatest, in percent of the median."""
    return 50 * (metric["max"] - metric["min"]) / metric["median"] if metric["median"] else 0


def table(rows, base=None):
    """Lines of text: medians, their spread over the rounds, and ratios to the base."""
    shown = [column for column in COLUMNS
             if any(row["metrics"].get(column[0], {}).get("max") for row in rows)]
    rounds = max((row["rounds"] for row in rows), default=1)
    with_steps = any(row["step"] for row in rows)
    with_ratios = base and any(base in row["ratios"] for row in rows)
    lines = [(["step"] if with_steps else []) + ["target"]]
    for _, heading, _ in shown:
        lines[0] += [heading]
    if with_ratios:
        lines[0] += [f"rate to {base}", "CPU"]
    step = None
    for row in rows:
        line = ([row["step"] if row["step"] != step else ""] if with_steps else []) + [row["target"]]
        step = row["step"]
        for name, _, write_value in shown:
            metric = row["metrics"].get(name)
            text = write_value(metric["median"]) if metric else "-"
            if metric and rounds > 1 and name in ALWAYS:
                text += f" ±{half_width(metric):.0f}%"
            line.append(text)
        if with_ratios:
            of = row["ratios"].get(base, {})
            line += [multiple(of[name]) if name in of else "1" if row["target"] == base else "-" for name in
                     ("rate", "target_cpu_us")]
        lines.append(line)
    words = 2 if with_steps else 1
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(text.ljust(width) if i < words else text.rjust(width)
                      for i, (text, width) in enumerate(zip(line, widths))).rstrip() for line in lines]


