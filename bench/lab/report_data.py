# SPDX-License-Identifier: Apache-2.0
"""Result files as the report sees them: read, checked, and put together over the rounds.

A result file is what `run` and `compare` write.  It may be old, cut off or written by hand, so it is checked
before anything is made of it, and Wrong says which file, where in it, and what is the matter.  What is not needed for a figure
may be missing; the figure is then left out.  Keys that nobody here knows are passed over, but for metrics, which are shown as
they are called.

The file's own summary is not read: everything is made from the runs, and so one file cannot say two things.

A Result holds a Cell for each target at each step, and a Cell the runs of all rounds.  A figure of a Cell is a Spread: its
median, the least and the most.  Percentiles of latencies are those of all rounds together, from their merged buckets; their
least and most are those of single rounds.
"""
import datetime
import difflib
import json
import math
import os
import re
import statistics

FORMAT = 1
FILE_OCTETS_MAX = 64 << 20
FILES_MAX = 100
TARGETS_MAX = 24
STEPS_MAX = 24
DEPTH_MAX = 40


class Wrong(Exception):
    """What cannot be used; the text names file, place and reason."""


# The shape of a result file.  A key that ends in ! must be there.

NUMBER, TEXT = "a number", "a text"


class Each:
    """A list of such."""

    def __init__(self, shape):
        self.shape = shape


class Map:
    """An object with any keys."""

    def __init__(self, shape):
        self.shape = shape


LATENCY = {"mean": NUMBER, "p50": NUMBER, "p90": NUMBER, "p99": NUMBER, "p99_9": NUMBER, "max": NUMBER,
           "buckets": Each(Each(NUMBER))}

RESULT = {
    "format!": NUMBER,
    "scenario!": {"name!": TEXT, "description": TEXT, "text": TEXT, "warm_up_s": NUMBER},
    "when": TEXT,
    "command": Each(TEXT),
    "machine": {"cpu": TEXT, "cores": NUMBER, "memory_octets": NUMBER, "kernel": TEXT, "file_system": TEXT, "device": TEXT,
                "sync_4k_us": {"p50": NUMBER, "p99": NUMBER}, "load_before": NUMBER},
    "tool": {"version": TEXT, "commit": TEXT},
    "targets": Map({"name": TEXT, "version": TEXT, "commit": TEXT, "sync": TEXT, "note": TEXT, "settings": TEXT}),
    "runs!": Each({"target!": TEXT, "round": NUMBER, "step": TEXT, "started": TEXT, "metrics": Map(NUMBER),
                   "latencies": Map(LATENCY), "timeline": Each(Map(NUMBER)),
                   "events": Each({"s!": NUMBER, "do!": TEXT}), "warnings": Each(TEXT)}),
    "warnings": Each(TEXT),
}


def kind_of(value):
    for kind, word in ((bool, "true or false"), ((int, float), NUMBER), (str, TEXT), (list, "a list"), (dict, "an object")):
        if isinstance(value, kind):
            return word
    return "null"


def check(value, shape, where):
    """Raises Wrong unless value has the shape.  Null stands for what is missing, and is taken out."""
    if isinstance(shape, str):
        if kind_of(value) != shape:
            raise Wrong(f"{where}: {shape} is wanted, not {kind_of(value)}")
        if shape is NUMBER and not -1e18 < value < 1e18:
            raise Wrong(f"{where}: {str(value)[:30]} is no figure of a measurement")
    elif isinstance(shape, Each):
        if not isinstance(value, list):
            raise Wrong(f"{where}: a list is wanted, not {kind_of(value)}")
        for i, part in enumerate(value):
            check(part, shape.shape, f"{where}[{i}]")
    else:
        if not isinstance(value, dict):
            raise Wrong(f"{where}: an object is wanted, not {kind_of(value)}")
        for key in [key for key, part in value.items() if part is None]:
            del value[key]
        if isinstance(shape, Map):
            for key, part in value.items():
                check(part, shape.shape, f"{where}.{key[:60]}")
            return
        for mark, part in shape.items():
            key = mark.rstrip("!")
            if key in value:
                check(value[key], part, f"{where}.{key}")
            elif mark.endswith("!"):
                near = nearest(key, set(value) - {m.rstrip("!") for m in shape})
                raise Wrong(f"{where}: has no {key}" + (f'; is it "{near}" that was meant?' if near else ""))


def nearest(word, words):
    found = difflib.get_close_matches(word, sorted(words), 1, 0.6)
    return found[0] if found else None


def no_number(word):
    raise ValueError(f"{word} is no number of JSON")


def load(path):
    """The object in a file, checked."""
    try:
        size = os.path.getsize(path)
        if size > FILE_OCTETS_MAX:
            raise Wrong(f"{path}: {size} octets, more than the {FILE_OCTETS_MAX} that are read")
        with open(path, "rb") as f:
            octets = f.read(FILE_OCTETS_MAX + 1)
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}") from None
    if len(octets) > FILE_OCTETS_MAX: # it grows, or it is a pipe
        raise Wrong(f"{path}: more than the {FILE_OCTETS_MAX} octets that are read")
    try:
        value = json.loads(octets.decode("utf-8"), parse_constant=no_number)
    except UnicodeDecodeError as error:
        raise Wrong(f"{path}: octet {error.start} is not UTF-8; a result file is JSON as run and compare write it") from None
    except json.JSONDecodeError as error:
        raise Wrong(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise Wrong(f"{path}: not JSON: {str(error)[:100]}") from None
    if isinstance(value, dict) and "format" not in value:
        raise Wrong(f"{path}: has no format; a result file is what run and compare write with --out or into their directory")
    if isinstance(value, dict) and value["format"] != FORMAT:
        raise Wrong(f"{path}: format {str(value['format'])[:20]}; this program reads format {FORMAT}")
    check(value, RESULT, path)
    for i, run in enumerate(value["runs"]):
        for name, latency in run.get("latencies", {}).items():
            check_buckets(latency.get("buckets", []), f"{path}.runs[{i}].latencies.{name[:60]}.buckets")
        for j, second in enumerate(run.get("timeline", [])):
            if "s" not in second:
                raise Wrong(f"{path}.runs[{i}].timeline[{j}]: has no s")
    return value


def check_buckets(buckets, where):
    last = -1
    for i, pair in enumerate(buckets):
        if len(pair) != 2:
            raise Wrong(f"{where}[{i}]: two numbers are wanted, upper end and count, not {len(pair)}")
        if pair[0] <= last:
            raise Wrong(f"{where}[{i}]: upper ends must grow")
        if pair[1] < 0 or pair[1] != int(pair[1]):
            raise Wrong(f"{where}[{i}]: the count {pair[1]} is no whole number")
        last = pair[0]


# Latencies

def merge(histograms):
    """Buckets of several rounds as one list."""
    counts = {}
    for buckets in histograms:
        for upper, count in buckets:
            counts[upper] = counts.get(upper, 0) + count
    return sorted((upper, count) for upper, count in counts.items() if count)


def percentile(buckets, percent, most=math.inf):
    """The upper end of the bucket below which, itself included, at least so many percent of the values lie, but not above the
    largest value; None when there are none."""
    total = sum(count for _, count in buckets)
    if not total:
        return None
    # The rounding of a product is not to make the rank one larger: 99.9 % of 1000 is 999.
    wanted, seen = max(math.ceil(round(percent * total / 100, 6)), 1), 0
    for upper, count in buckets:
        seen += count
        if seen >= wanted:
            return min(upper, most)
    return min(buckets[-1][0], most)


def curve(buckets, most=math.inf, steps=24):
    """Points (percent, value) for a plot whose axis is logarithmic in the share beyond, up to what the count bears."""
    total = sum(count for _, count in buckets)
    if not total:
        return []
    points = []
    for i in range(int(math.log10(total) * steps) + 1):
        percent = 100 * (1 - 10 ** (-i / steps))
        points.append((percent, percentile(buckets, percent, most)))
    if total > 1:
        points.append((100 * (1 - 1 / total), percentile(buckets, 100, most)))
    return points


class Spread:
    """A figure over the rounds: median, least and most, and each."""

    def __init__(self, each, median=None):
        self.each = each
        self.least, self.most = min(each), max(each)
        self.median = statistics.median(each) if median is None else median


COUNTED_WITHIN = ("messages", "octets", "errors", "p50_us", "p99_us")

PERCENTILES = {"p50": 50, "p90": 90, "p99": 99, "p99_9": 99.9, "max": 100}


class Cell:
    """One target at one step: the runs of all rounds."""

    def __init__(self, target, step):
        self.target, self.step, self.runs = target, step, []
        self.merged = {}

    def rounds(self):
        """How many of the runs have figures; one that failed has none."""
        return sum(1 for run in self.runs if run.get("metrics") or run.get("latencies"))

    def metric(self, name):
        each = [run["metrics"][name] for run in self.runs if name in run.get("metrics", {})]
        return Spread(each) if each else None

    def alone(self, run, figure):
        """A figure of one of the runs, or None."""
        one = Cell(self.target, self.step)
        one.runs = [run]
        value = figure.read(one)
        return value.median if value else None

    def buckets(self, kind):
        """Merged buckets of all rounds and the largest value."""
        if kind not in self.merged:
            found = [run["latencies"][kind] for run in self.runs if kind in run.get("latencies", {})]
            tops = [latency["max"] for latency in found if "max" in latency]
            whole = bool(found) and len(tops) == len(found)
            self.merged[kind] = (merge(latency.get("buckets", []) for latency in found), max(tops) if whole else math.inf)
        return self.merged[kind]

    def latency(self, kind, name):
        """A percentile, microseconds."""
        each = []
        for run in self.runs:
            latency = run.get("latencies", {}).get(kind, {})
            value = latency.get(name)
            if value is None:
                value = percentile(latency.get("buckets", []), PERCENTILES[name], latency.get("max", math.inf))
            if value is not None:
                each.append(value)
        if not each:
            return None
        buckets, most = self.buckets(kind)
        together = percentile(buckets, PERCENTILES[name], most)
        # The exact values of single rounds bound what the ends of buckets say.
        return Spread(each, None if together is None else min(max(together, min(each)), max(each)))

    def events(self):
        """[(second, what)] that the scenario did, as the first round tells them."""
        return next(([(event["s"], event["do"]) for event in run["events"]] for run in self.runs if run.get("events")), [])

    def timeline(self, key, points_max=600):
        """[(second, median, least, most)] over the rounds; as far as half of them reach, and of no more points than a chart
        can show.  What is counted within a second lacks the last one, which did not last that long."""
        rounds = [{second["s"]: second[key] for second in run.get("timeline", []) if key in second} for run in self.runs]
        rounds = [values for values in rounds if values]
        if key in COUNTED_WITHIN:
            for values in rounds:
                del values[max(values)]
        moments = sorted(set().union(*rounds)) if rounds else []
        moments = [s for s in moments if 2 * sum(s in values for values in rounds) >= len(rounds)]
        width = math.ceil(len(moments) / points_max) if moments else 1
        points = []
        for i in range(0, len(moments), width):
            part = moments[i:i + width]
            each = []
            for values in rounds:
                held = [values[s] for s in part if s in values]
                if held:
                    # A peak of a latency is what one looks for; of the others the mean is what happened.
                    each.append(max(held) if key.startswith("p") else sum(held) / len(held))
            points.append((part[0], statistics.median(each), min(each), max(each)))
        return points


class Result:
    def __init__(self, path):
        value = load(path)
        self.path = path
        self.file = os.path.basename(path)
        self.scenario = value["scenario"]
        self.name = self.scenario["name"]
        self.when = value.get("when", "")
        self.command = value.get("command", [])
        self.machine = value.get("machine", {})
        self.tool = value.get("tool", {})
        self.warnings = value.get("warnings", [])
        self.runs = value["runs"]
        if not self.runs:
            raise Wrong(f"{path}: runs is empty; there is nothing to report")
        about = value.get("targets", {})
        self.keys = list(dict.fromkeys([*about, *(run["target"] for run in self.runs)]))
        self.keys = [key for key in self.keys if any(run["target"] == key for run in self.runs)]
        self.steps = list(dict.fromkeys(run.get("step", "") for run in self.runs))
        for what, found, most in (("targets", self.keys, TARGETS_MAX), ("steps", self.steps, STEPS_MAX)):
            if len(found) > most:
                raise Wrong(f"{path}: {len(found)} {what}, more than the {most} that a page can show")
        self.targets = {key: about.get(key, {}) for key in self.keys}
        self.names = display_names(self.targets)
        self.cells = {(key, step): Cell(key, step) for step in self.steps for key in self.keys}
        for run in self.runs:
            self.cells[run["target"], run.get("step", "")].runs.append(run)
        self.cells = {place: cell for place, cell in self.cells.items() if cell.runs}
        self.base = self.default_base()

    def default_base(self):
        """The bare receiver, else the first; none when it is alone."""
        if len(self.keys) < 2:
            return None
        return "floor" if "floor" in self.keys else self.keys[0]

    def focus(self):
        """The target that the page speaks of first."""
        return next((key for key in self.keys if key != self.base), self.keys[0])

    def at(self, step):
        return [self.cells[key, step] for key in self.keys if (key, step) in self.cells]

    def kinds(self):
        """Kinds of latencies there are, the well known first."""
        found = dict.fromkeys(kind for run in self.runs for kind in run.get("latencies", {}))
        return [k for k in ("accept", "end_to_end") if k in found] + [k for k in found if k not in ("accept", "end_to_end")]

    def rounds(self):
        return max(cell.rounds() for cell in self.cells.values())

    def commit(self):
        """What was measured: the focus's own commit, or the tool's when they are built together."""
        return self.targets[self.focus()].get("commit") or self.tool.get("commit") or ""

    def moment(self):
        """When, as a time, or None."""
        try:
            moment = datetime.datetime.fromisoformat(self.when)
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)

    def label(self):
        """A short name among several files: commit or date, else the file."""
        moment = self.moment()
        return short_commit(self.commit()) or (moment.strftime("%Y-%m-%d %H:%M") if moment else self.file)

    def all_warnings(self):
        """[(text, [where])]: each text once, with the runs that gave it."""
        found = {}
        for text in self.warnings:
            found.setdefault(text, [])
        for run in self.runs:
            for text in run.get("warnings", []):
                where = self.names[run["target"]]
                where += f", {run['step']}" if run.get("step") else ""
                found.setdefault(text, []).append(f"{where}, round {run['round']}" if "round" in run else where)
        return list(found.items())


def alike(warnings):
    """Warnings that say the same of many runs, with other figures: [(what they say, [(text, [where])])].

    Alike is what agrees up to the first colon; few of a sort stay apart."""
    sorts = {}
    for text, where in warnings:
        sorts.setdefault(text.partition(":")[0], []).append((text, where))
    return [one for what, found in sorts.items()
            for one in ([(what, found)] if len(found) > 3 else [(text, [(text, where)]) for text, where in found])]


def display_names(targets):
    """What to call each target: its name, with its key when two have the same."""
    names = {key: about.get("name") or key for key, about in targets.items()}
    return {key: f"{name} ({key})" if list(names.values()).count(name) > 1 else name for key, name in names.items()}


def short_commit(commit):
    """A trailing + says that files differed from it."""
    return re.sub(r"^([0-9a-f]{10})[0-9a-f]+(\+?)$", r"\1\2", commit)[:24]


def group(results):
    """Results of the same scenario together, oldest first: [[Result, ...], ...]."""
    groups = {}
    for result in results:
        groups.setdefault(result.name, []).append(result)
    for members in groups.values():
        members.sort(key=lambda r: r.moment() or datetime.datetime.min.replace(tzinfo=datetime.timezone.utc))
    return list(groups.values())
