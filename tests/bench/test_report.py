#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a report says: percentiles, merging, tables, escaping; and what it says of files that are none."""
import contextlib
import io
import json
import math
import os
import subprocess
import sys
from html.parser import HTMLParser

import laboratory
import results
import ringpost
from lab import report, report_charts, report_data, report_page, report_table
from ringpost import expect, expect_equal, expect_in

HOSTILE = ("</script><script>document.title='taken'</script><img src=http://192.0.2.1/x onerror=alert(1)>"
           " | `*` & \"'\ud800\n--><!--")
NEEDS_NO_LIBRARY = "window.Chart = undefined;"


def percentiles(rig):
    buckets = [[10, 50], [20, 40], [40, 9], [80, 1]]
    for percent, wanted in ((0, 10), (50, 10), (50.1, 20), (90, 20), (99, 40), (99.1, 80), (100, 80)):
        expect_equal(report_data.percentile(buckets, percent), wanted, f"{percent} %")
    expect_equal(report_data.percentile(buckets, 100, 77), 77, "not above the largest value")
    expect_equal(report_data.percentile([[1, 999], [2, 1]], 99.9), 1, "999 of 1000, in spite of rounding")
    expect_equal(report_data.percentile([], 50), None, "of nothing")
    points = report_data.curve([[1, 9000], [2, 900], [3, 90], [4, 10]])
    expect_equal(points[0], (0, 1))
    expect_equal(round(points[-1][0], 6), 99.99, "as far as the count bears")
    expect(all(a[0] <= b[0] and a[1] <= b[1] for a, b in zip(points, points[1:])), "a curve only rises")


def merging(rig):
    expect_equal(report_data.merge([[[1, 2], [3, 4]], [[2, 1], [3, 1]], []]), [(1, 2), (2, 1), (3, 5)])


def together(rig):
    """A round with a few slow messages of many shows in percentiles of all, which no median of rounds would."""
    value = results.result(targets=("ringpost",), rounds=3)
    for run, buckets in zip(value["runs"], ([[1000, 100]], [[1000, 100]], [[1000, 90], [9000, 10]])):
        run["latencies"] = {"accept": {"max": buckets[-1][0], "buckets": buckets}}
    cell = report_data.Result(results.write(rig.path("r.json"), value)).cells["ringpost", ""]
    p99 = cell.latency("accept", "p99")
    expect_equal((p99.median, p99.least, p99.most), (9000, 1000, 9000))
    expect_equal(cell.latency("accept", "p50").median, 1000)


def figures(rig):
    for value, wanted in ((36985.4, "36985"), (130.2, "130"), (99.97, "100"), (25.04, "25.0"), (9.999, "10.0"), (1.8, "1.80"),
                          (0.15249, "0.152"), (0, "0"), (6, "6"), (0.00012, "1.2e-04")):
        expect_equal(report_table.digits(value), wanted, value)
    expect_equal(report_table.digits(1234567, " "), "1 234 567")


def rows(rig):
    """Medians, spread and ratios of a result, worked out here once more."""
    value = results.result()
    summary = summarised(rig, value)
    row = next(row for row in summary["reports"][0]["rows"] if row["target"] == "ringpost")
    rates = sorted(run["metrics"]["rate"] for run in value["runs"] if run["target"] == "ringpost")
    floor = sorted(run["metrics"]["rate"] for run in value["runs"] if run["target"] == "floor")
    each = {(run["target"], run["round"]): run["metrics"]["rate"] for run in value["runs"]}
    times = sorted(round(each["ringpost", number] / each["floor", number], 6) for number in range(1, 6))
    expect_equal(row["figures"]["rate"], {"median": rates[2], "min": rates[0], "max": rates[4],
                                          "ratio": round(rates[2] / floor[2], 6), "ratio_range": [times[0], times[4]]})
    expect_equal(row["rounds"], 5)
    expect_in("accept_p99_us", row["figures"])
    expect_equal(summary["reports"][0]["base"], "floor")
    based = summarised(rig, value, "--base", "postfix")["reports"][0]
    expect(next(r for r in based["rows"] if r["target"] == "ringpost")["figures"]["rate"]["ratio"] > 10, "ratio to another base")


def summarised(rig, value, *words):
    path = results.write(rig.path("r.json"), value)
    expect_equal(report.main([path, "--json", rig.path("s.json"), *words]), 0)
    with open(rig.path("s.json"), encoding="utf-8") as f:
        return json.load(f)


def markdown_of(rig, *values):
    paths = [results.write(rig.path(f"r{i}.json"), value) for i, value in enumerate(values)]
    expect_equal(report.main([*paths, "--markdown", rig.path("r.md")]), 0)
    with open(rig.path("r.md"), encoding="utf-8") as f:
        return f.read()


def markdown(rig):
    text = markdown_of(rig, results.result(steps=("25 %", "50 %")))
    lines = [line for line in text.split("\n") if line.startswith("|")]
    expect_equal(len(lines), 2 + 3 * 2, "head, rule, and a row for each target at each step")
    bars = [[i for i, c in enumerate(line) if c == "|"] for line in lines]
    expect(all(places == bars[0] for places in bars), f"not aligned:\n{text}")
    expect_in("---:", lines[1])
    expect_in("/ floor", lines[0])
    expect(" ±" in lines[3].split("|")[4], f"no spread of a ratio: {lines[3]}")

    value = results.result(rounds=1)
    value["targets"]["postfix"]["name"] = "a|b\n| c | <b> `x`"
    value["warnings"] = ["one\n\n# two"]
    text = markdown_of(rig, value)
    expect_in("a\\|b \\| c \\| \\<b\\> \\`x\\`", text)
    expect_in("- Warning: one  # two\n", text)
    expect("±" not in text, "one round has no spread")


def many_files(rig):
    """Oldest first, whatever the order they are named in; scenarios apart."""
    old = results.result(when="2026-11-20T10:00:00+00:00", commit="a" * 40)
    new = results.result(when="2026-11-22T10:00:00+00:00", commit="b" * 40, speed=1.2)
    other = results.result(name="relay", end_to_end=True)
    text = markdown_of(rig, new, old, other)
    expect(text.index("aaaaaaaaaa") < text.index("bbbbbbbbbb"), "oldest first")
    expect_equal(text.count("### "), 2, "scenarios")
    paths = [results.write(rig.path(f"{i}.json"), value) for i, value in enumerate((new, old))]
    group = report_data.group(map(report_data.Result, paths))[0]
    panels = report_charts.history(group)
    rate = next(panel for panel in panels if panel["title"] == "Rate")
    expect_equal(rate["labels"], ["a" * 10, "b" * 10])
    ours = next(series["points"] for series in rate["series"] if series["target"] == "ringpost")
    expect(ours[1][0] > ours[0][0], "the newer one is faster")
    expect(any("ratio" in panel["title"] for panel in panels), "a chart of ratios")


def warnings(rig):
    """Each text once, with the runs that gave it; many of a sort together."""
    value = results.result(targets=("ringpost",), rounds=5)
    for i, run in enumerate(value["runs"]):
        run["warnings"] = ["it rained", f"the machine was busy: {i}"]
    found = report_data.Result(results.write(rig.path("r.json"), value)).all_warnings()
    expect_equal(found[0], ("it rained", [f"ringpost, round {i}" for i in range(1, 6)]))
    sorts = report_data.alike(found)
    expect_equal([(what, len(members)) for what, members in sorts], [("it rained", 1), ("the machine was busy", 5)])
    expect_equal(sum(len(members) for _, members in sorts), len(found), "none is lost")
    text = markdown_of(rig, value)
    expect_in("- Warning: the machine was busy: 0 (ringpost, round 1), and 4 more of the sort\n", text)
    expect_in("; and 1 more)", text)
    page = page_of(rig, value)
    for i in range(5):
        expect_in(f"the machine was busy: {i}<", page.replace(" <span", "<span"))


class Outline(HTMLParser):
    """What a browser would find: elements by name, their texts."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self.scripts = [], [], 0

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.scripts += tag == "script"

    def handle_data(self, data):
        self.texts.append(data)


def page_of(rig, *values):
    os.environ["RINGPOST_BENCH_CHART_JS"] = rig.path("chart.js")
    with open(rig.path("chart.js"), "w", encoding="utf-8") as f:
        f.write(NEEDS_NO_LIBRARY)
    try:
        paths = [results.write(rig.path(f"p{i}.json"), value) for i, value in enumerate(values)]
        expect_equal(report.main([*paths, "--html", rig.path("r.html")]), 0)
    finally:
        del os.environ["RINGPOST_BENCH_CHART_JS"]
    with open(rig.path("r.html"), encoding="utf-8") as f:
        return f.read()


def hostile_texts(rig):
    """A result is somebody's file: no text of it becomes markup, in the page or in its data."""
    value = results.result()
    plain = Outline()
    plain.feed(page_of(rig, value))
    value["scenario"] = {"name": HOSTILE, "description": HOSTILE, "text": HOSTILE}
    value["command"] = [HOSTILE]
    value["when"] = HOSTILE
    value["machine"] |= {key: HOSTILE for key in ("cpu", "kernel", "file_system", "device")}
    value["tool"] = {"version": HOSTILE, "commit": HOSTILE}
    value["targets"]["postfix"] = {key: HOSTILE for key in ("name", "version", "commit", "sync", "note", "settings")}
    value["targets"][HOSTILE] = value["targets"].pop("floor")
    for run in value["runs"]:
        run["step"] = run["started"] = HOSTILE
        run["warnings"] = [HOSTILE]
        run["events"] = [{"s": 1, "do": HOSTILE}]
        run["metrics"][HOSTILE] = 1
        run["latencies"][HOSTILE] = run["latencies"]["accept"]
        run["target"] = run["target"].replace("floor", HOSTILE)
    page = page_of(rig, value)
    found = Outline()
    found.feed(page)
    expect_equal(found.scripts, plain.scripts, "scripts")
    expect(all(tag != "img" for tag, _ in found.tags), "a picture came in")
    expect(all(not name.startswith("on") for _, attrs in found.tags for name in attrs), "a handler came in")
    expect(any(HOSTILE.replace("\ud800", "?") in text for text in found.texts), "the text is there as text")
    data = page[page.index('id="data">') + 10:]
    data = data[:data.index("</script>")]
    expect("<" not in data, "the data has no markup")
    expect_in(HOSTILE, [event[1] for panel in json.loads(data)["panels"] for event in panel.get("events", [])])


def nothing_from_outside(rig):
    found = Outline()
    page = page_of(rig, results.result(), results.result(seed=2), results.result(name="relay"))
    found.feed(page)
    for tag, attrs in found.tags:
        expect(tag not in ("link", "iframe", "object", "embed", "base"), tag)
        for name in ("src", "srcset", "action", "data", "background"):
            expect(name not in attrs, f"{tag} {name}")
        expect(attrs.get("href", "#").startswith("#"), "a link out of the page")
    expect("url(" not in page and "@import" not in page, "the style sheet fetches")
    expect_in("default-src 'none'", page)


def readable_without_scripts(rig):
    value = results.result(steps=("a", "b"))
    value["warnings"] = ["the machine was busy with something else"]
    text = " ".join(" ".join(page_of_texts(rig, value)).split())
    for part in ("accept", "AMD EPYC", "ext4", "Postfix", "3.7.11", "one fsync of the queue file", "settings of postfix",
                 "sessions: 100", "the machine was busy", "ringpost-bench compare accept"):
        expect_in(part, text)
    rates = [run["metrics"]["rate"] for run in value["runs"] if run["target"] == "postfix" and run["step"] == "b"]
    expect_in(report_page.digits(sorted(rates)[2]), "".join(page_of_texts(rig, value)))


def page_of_texts(rig, value):
    found = Outline()
    found.feed(page_of(rig, value))
    return found.texts


def little_is_enough(rig):
    """What is needed at least, and a run that failed beside one that did not."""
    value = {"format": 1, "scenario": {"name": "least"},
             "runs": [{"target": "a", "metrics": {"rate": 5}}, {"target": "b", "metrics": {}}]}
    expect_in("least", page_of(rig, value))
    expect_in("| a ", markdown_of(rig, value))
    summary = summarised(rig, value)["reports"][0]
    expect_equal([row["rounds"] for row in summary["rows"]], [1, 0])
    page_of(rig, {"format": 1, "scenario": {"name": "none"}, "runs": [{"target": "a"}]})
    value = results.result()
    for run in value["runs"]:
        for latency in run["latencies"].values():
            del latency["buckets"]
        run["timeline"] = None
    expect_in("accept p99", markdown_of(rig, value))
    page_of(rig, value)


def long_runs_stay_small(rig):
    value = results.result(targets=("ringpost",), rounds=1)
    value["runs"][0]["timeline"] = [{"s": s, "messages": 100, "p99_us": 5000 if s == 7777 else 10} for s in range(20000)]
    cell = report_data.Result(results.write(rig.path("r.json"), value)).cells["ringpost", ""]
    for key, wanted in (("messages", 100), ("p99_us", 5000)):
        points = cell.timeline(key)
        expect(len(points) <= 600, f"{len(points)} points")
        expect_equal(max(p[1] for p in points), wanted, "a mean of counts, the peak of a latency")


def warm_up_is_marked(rig):
    value = results.result()
    results.write(rig.path("r.json"), value)
    result = report_data.Result(rig.path("r.json"))
    expect_equal({panel["warm_up"] for panel in report_charts.time_panels(result, "")}, {3})
    expect_in("warm-up is shaded", page_of(rig, value))
    del value["scenario"]["warm_up_s"]
    expect("shaded" not in page_of(rig, value), "an older file does not know")


def seconds(rig):
    """Over the rounds, as far as half of them reach, without the last second of each, which was cut short."""
    value = results.result(targets=("ringpost",), rounds=3)
    for run, counts in zip(value["runs"], ([5, 7, 1], [6, 9, 8, 1], [4, 8, 2, 2, 2, 1])):
        run["timeline"] = [{"s": s, "messages": count, "target_cores": 1.0} for s, count in enumerate(counts)]
    cell = report_data.Result(results.write(rig.path("r.json"), value)).cells["ringpost", ""]
    expect_equal(cell.timeline("messages"), [(0, 5, 4, 6), (1, 8, 7, 9), (2, 5, 2, 8)])
    expect_equal([point[0] for point in cell.timeline("target_cores")], [0, 1, 2, 3], "a sample is whole")


def malformed(rig):
    def broken(change):
        value = results.result(targets=("ringpost",), rounds=1)
        change(value)
        return json.dumps(value)

    def run_with(**keys):
        return broken(lambda value: value["runs"][0].update(keys))

    def misspelled(value):
        value["run"] = value.pop("runs")

    cases = (
        ("{", "r.json:1:2: not JSON"),
        (b"\xff\xfe", "is not UTF-8"),
        ("[1]", "r.json: an object is wanted, not a list"),
        ("{}", "has no format"),
        ('{"format": 2}', "this program reads format 1"),
        ('{"format": NaN}', "NaN is no number of JSON"),
        ("[" * 100000, "not JSON"),
        (broken(misspelled), 'r.json: has no runs; is it "run" that was meant?'),
        (broken(lambda value: value.update(runs=[])), "runs is empty"),
        (broken(lambda value: value.update(scenario="accept")), "r.json.scenario: an object is wanted, not a text"),
        (run_with(target=None), "r.json.runs[0]: has no target"),
        (run_with(target=7), "r.json.runs[0].target: a text is wanted, not a number"),
        (run_with(metrics={"rate": "fast"}), "r.json.runs[0].metrics.rate: a number is wanted, not a text"),
        (run_with(metrics={"rate": True}), "a number is wanted, not true or false"),
        (run_with(metrics={"rate": 10 ** 400}), "is no figure of a measurement"),
        (run_with(timeline=[{"messages": 1}]), "timeline[0]: has no s"),
        (run_with(latencies={"accept": {"buckets": [[1, 2, 3]]}}), "buckets[0]: two numbers are wanted"),
        (run_with(latencies={"accept": {"buckets": [[5, 1], [4, 1]]}}), "buckets[1]: upper ends must grow"),
        (run_with(latencies={"accept": {"buckets": [[5, 0.5]]}}), "is no whole number"),
        (broken(lambda value: value.update(runs=[{"target": str(i)} for i in range(99)])), "99 targets"),
    )
    for content, wanted in cases:
        with open(rig.path("r.json"), "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        status, said = says([rig.path("r.json")])
        expect_equal(status, 2, f"exit status for {content[:80]}")
        expect_in(wanted, said, f"for {content[:80]}")
        expect_equal(said.count("\n"), 1, "one line")


def says(words):
    """(exit status, what is said on standard error)"""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            status = report.main(words)
        except SystemExit as end:
            status = end.code
    return status, said.getvalue()


def command_lines(rig):
    path = results.write(rig.path("r.json"), results.result())
    for words, wanted in (
            ([], "RESULT.json"),
            ([rig.path("none.json")], "No such file"),
            ([rig.path("")], "Is a directory"),
            ([path, "--markdwon", "x"], "is it --markdown that was meant?"),
            ([path, "--base", "postfx"], 'is it "postfix" that was meant?'),
            ([path, "--base", "qmail"], "there are floor, postfix, ringpost"),
            ([path, "--html", "-", "--json", "-"], "only one"),
            ([path, "--json", rig.path("no/such/s.json")], "No such file"),
            ([path] * 101, "101 files")):
        status, said = says(words)
        expect_equal(status, 2, words[-2:])
        expect_in(wanted, said)
    os.environ["RINGPOST_BENCH_CHART_JS"] = rig.path("absent.js")
    try:
        status, said = says([path, "--html", rig.path("r.html")])
    finally:
        del os.environ["RINGPOST_BENCH_CHART_JS"]
    expect_equal(status, 2)
    expect_in("install the package libjs-chart.js", said)
    expect(not os.path.exists(rig.path("r.html")), "nothing half made is left")


def as_people_start_it(rig):
    path = results.write(rig.path("r.json"), results.result())
    done = subprocess.run([laboratory.BENCH, "report", path], capture_output=True, text=True, check=False)
    expect_equal((done.returncode, done.stderr), (0, ""))
    expect_in("| ringpost ", done.stdout)


def without_yaml(rig):
    """Only scenarios need it."""
    with open(rig.path("yaml.py"), "w", encoding="ascii") as file:
        file.write("raise ModuleNotFoundError('hidden')\n")
    env = os.environ | {"PYTHONPATH": rig.directory}
    path = results.write(rig.path("a.json"), results.result())
    for words, status in (("report", path), 0), (("run", "accept"), 1):
        done = subprocess.run([laboratory.BENCH, *words], env=env, capture_output=True, encoding="utf-8", check=False)
        expect_equal(done.returncode, status, f"{words}: {done.stderr}")
    expect_in("python3-yaml", done.stderr)


def colours(rig):
    """The well known keep theirs in whatever company; nobody looks like another."""
    looks = report_charts.looks(["mine", "postfix", "ringpost@old", "ringpost@new", *(f"t{i}" for i in range(15)), "floor"])
    expect_equal([looks[key] for key in ("ringpost@old", "postfix", "floor")],
                 [{"slot": slot, "dash": 0} for slot in (0, 1, 7)])
    expect_equal(len({(look["slot"], look["dash"]) for look in looks.values()}), len(looks))
    expect(math.isclose(report_charts.number(123456.7), 123460), "five digits")


if __name__ == "__main__":
    sys.exit(ringpost.main(percentiles, merging, together, figures, rows, markdown, many_files, warnings, hostile_texts,
                           nothing_from_outside, readable_without_scripts, little_is_enough, long_runs_stay_small, warm_up_is_marked, seconds,
                           malformed, command_lines, as_people_start_it, without_yaml, colours))
