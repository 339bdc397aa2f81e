#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Medians, ratios, merged latencies and the table, checked against numbers worked out by hand."""
import json
import sys

import laboratory  # noqa: F401
import ringpost
from lab import machine, result, run
from ringpost import expect, expect_equal, expect_in


def runs():
    rows = []
    for number, (a, b) in enumerate([(10, 5), (30, 10), (20, 40)], 1):
        rows.append(result.Run("a", number, "", "", {"rate": a, "target_cpu_us": 2.0, "errors": 0}))
        rows.append(result.Run("b", number, "", "", {"rate": b, "target_cpu_us": 8.0, "errors": 0, "more": 1}))
    return rows


def medians_and_ratios(rig):
    a, b = result.summary(runs(), ["a", "b"])
    expect_equal(a["metrics"]["rate"], {"median": 20, "min": 10, "max": 30})
    expect_equal(b["metrics"]["rate"], {"median": 10, "min": 5, "max": 40})
    expect_equal(a["rounds"], 3)
    # Medians 20 and 10; rounds 10/5, 30/10, 20/40.
    expect_equal(a["ratios"]["b"]["rate"], 2.0)
    expect_equal(a["ratio_ranges"]["b"]["rate"], [0.5, 3.0])
    expect_equal((a["ratios"]["b"]["target_cpu_us"], b["ratios"]["a"]["target_cpu_us"]), (0.25, 4.0))
    expect("errors" not in a["ratios"]["b"], "nothing is a multiple of nought")
    expect("more" not in b["ratios"]["a"], "nothing to compare with")


def failed_runs_do_not_count(rig):
    rows = runs() + [result.Run("a", 4, "", "", {}, warnings=["no figures: it did not start"])]
    expect_equal(result.summary(rows, ["a", "b"])[0]["rounds"], 3)
    expect_equal(result.summary([rows[-1]], ["a"]), [])


def steps_stay_apart(rig):
    rows = [result.Run("a", 1, step, "", {"rate": rate}) for step, rate in (("x", 1), ("y", 5), ("x", 3))]
    expect_equal([(row["step"], row["metrics"]["rate"]["median"]) for row in result.summary(rows, ["a"])],
                 [("x", 2), ("y", 5)])


def latencies_add_up(rig):
    one = {"mean": 10.0, "p50": 10, "max": 20.5, "buckets": [[10, 98], [20, 1], [21, 1]]}
    two = {"mean": 40.0, "p50": 40, "max": 41, "buckets": [[10, 20], [40, 80]]}
    expect_equal(result.latencies_merge([one, None, {}]), one, "one alone stays as it is")
    both = result.latencies_merge([one, two])
    expect_equal(both["buckets"], [[10, 118], [20, 1], [21, 1], [40, 80]])
    expect_equal((both["mean"], both["p50"], both["p90"], both["p99"], both["max"]), (25.0, 10, 40, 40, 41))
    # Half of 200 is 100, of which the first bucket has 118; half and one would still be in it, 60 % of them not.
    expect_equal([result.buckets_percentile(both["buckets"], p) for p in (59, 59.5, 60, 60.5, 100)], [10, 20, 21, 40, 40])
    expect_equal(result.latencies_merge([]), {})


def timelines_add_up(rig):
    expect_equal(result.timelines_merge([[{"s": 0, "messages": 5, "p99_us": 7}, {"s": 1, "messages": 1}],
                                         [{"s": 0, "messages": 2, "p99_us": 9}]]),
                 [{"s": 0, "messages": 7, "p99_us": 9}, {"s": 1, "messages": 1}])


def silences_are_found(rig):
    line = [{"s": s, "messages": m} for s, m in enumerate([0, 5, 5, 0, 0, 0, 5, 0, 5, 0])]
    expect_equal(run.silence(line), 3)
    expect_equal(run.silence([]), 0)


def percentiles_of_lists(rig):
    values = list(range(1, 201))
    expect_equal([machine.percentile(values, p) for p in (50, 99, 100)], [100, 198, 200])
    expect_equal(machine.percentile([7], 99), 7)


def the_table_is_aligned(rig):
    lines = result.table(result.summary(runs(), ["a", "b"]), base="b")
    expect_equal(len(lines), 3)
    expect_equal(len({len(line) for line in lines}), 1, "columns are aligned")
    expect_in("20 ±50%", lines[1], "median and half of the range")
    expect_in("2.00", lines[1], "ratio to the base")
    expect("errors" not in lines[0], "a column of noughts is left out")


def ratios_have_digits(rig):
    expect_equal([result.multiple(value) for value in (367.03, 1.486, 0.69, 0.0031)], ["367", "1.49", "0.69", "0.0031"])


def warnings_come_once(rig):
    from lab import compare
    rows = [result.Run("a", 1, "", "", warnings=["slow"]), result.Run("a", 2, "x", "", warnings=["slow"]),
            result.Run("a", 3, "x", "", warnings=["slow", "late"])]
    expect_equal(compare.warnings_gather(rows), ["a, round 1: slow", "a, x, round 2, 3: slow", "a, x, round 3: late"])


def everybody_goes_first(rig):
    from lab import compare
    firsts = [compare.rotate(["a", "b", "c"], number)[0] for number in range(1, 7)]
    expect_equal(firsts, ["a", "b", "c"] * 2)


def time_left_is_told(rig):
    from lab import compare
    expect_equal([compare.time_left(*of) for of in ((0, 0, 10), (30, 5, 10), (300, 5, 10))],
                 ["", ", some 30 s left", ", some 5 min left"])


def the_file_is_whole_or_not_there(rig):
    path = rig.path("r.json")
    result.write(path, {"format": 1})
    expect_equal(json.loads(ringpost.read_text(path)), {"format": 1})
    try:
        result.write(path, {"rate": float("nan")})
    except ValueError:
        pass
    expect_equal(json.loads(ringpost.read_text(path)), {"format": 1}, "what is no JSON does not replace what is")


if __name__ == "__main__":
    sys.exit(ringpost.main(medians_and_ratios, failed_runs_do_not_count, steps_stay_apart, latencies_add_up,
                           timelines_add_up, silences_are_found, percentiles_of_lists, the_table_is_aligned, ratios_have_digits,
                           warnings_come_once, everybody_goes_first, time_left_is_told, the_file_is_whole_or_not_there))
