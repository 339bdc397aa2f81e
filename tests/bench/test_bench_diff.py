#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/bench-diff: a build beside itself, and what it says of given figures."""
import os
import subprocess
import sys

import laboratory
import ringpost
from ringpost import expect, expect_equal, expect_in

TOOL = os.path.join(ringpost.SOURCE, "tools", "bench-diff")


def bench_diff(rig, *words, status=0):
    done = subprocess.run([TOOL, *words, "--bench", laboratory.BENCH, "--dir", rig.directory], capture_output=True,
                          encoding="utf-8", timeout=ringpost.PATIENCE_S, check=False)
    expect_equal(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
    return done.stdout if status == 0 else done.stderr


def a_build_beside_itself(rig):
    scenario = rig.path("tiny.yaml")
    with open(scenario, "w", encoding="utf-8") as file:
        file.write("target: {next_hop: sink, cores: 1}\nsend: {sessions: 2, messages: 50}\nuntil: delivered\n")
    said = bench_diff(rig, ringpost.BIN, os.path.dirname(ringpost.BIN), scenario, "--rounds", "2")
    for words in (f"old: {ringpost.BIN}", "tiny, 2 rounds", "messages/s", "CPU µs/message", "accept p99", "2 rounds cannot tell"):
        expect_in(words, said)


def wrong_words_are_told(rig):
    expect_in("is neither a revision of git nor a directory", bench_diff(rig, "no-such-revision", ringpost.BIN, status=1))
    expect_in("no ringpost is built there", bench_diff(rig, rig.directory, ringpost.BIN, status=1))


def what_it_concludes(rig):
    tool = laboratory.load(TOOL)
    def row(target, rate, ratio, least, greatest, rounds=5):
        return {"target": target, "step": "", "rounds": rounds,
                "metrics": {"rate": {"median": rate}, "target_cpu_us": {"median": 30}},
                "ratios": {"a": {"rate": ratio, "target_cpu_us": 1 / ratio}},
                "ratio_ranges": {"a": {"rate": [least, greatest], "target_cpu_us": [1 / greatest, 1 / least]}}}
    for ratio, least, greatest, rounds, words in (
            (1.1, 0.98, 1.2, 5, "within the noise"), (1.1, 1.02, 1.2, 5, "better"), (0.9, 0.8, 0.97, 5, "worse"),
            (0.5, 0.4, 0.6, 3, "3 rounds cannot tell")):
        found = list(tool.rows([row("a", 100, 1, 1, 1), row("b", 100 * ratio, ratio, least, greatest, rounds)], "a", "b"))
        expect_equal([(r[1], r[-1]) for r in found], [("messages/s", words), ("CPU µs/message", words)], str(ratio))
    expect(list(tool.rows([row("a", 1, 1, 1, 1)], "a", "b")) == [], "one target alone has no difference")


if __name__ == "__main__":
    sys.exit(ringpost.main(a_build_beside_itself, wrong_words_are_told, what_it_concludes))
