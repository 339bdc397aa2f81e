#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""When messages are due, what of a run counts, and what could not be begun."""
import sys
import time

import ringpost
from fake_server import FakeServer, send, start, told_by
from ringpost import expect, expect_equal


def arrivals(rig):
    """Constant gaps are equal; gaps by chance are not, and the same seed gives the same."""
    def sending(*words):
        server = FakeServer(rig)
        return server, start(rig, server, "--rate", 300, "--messages", 300, "--sessions", 20, "--cores", 2, *words)

    def gaps(server, sender):
        expect_equal(told_by(sender)["messages"], 300)
        due = sorted(int(m.text.split(b"X-Ringpost-Bench-Time: ")[1][:20]) for m in server.messages())
        return [after - before for before, after in zip(due, due[1:])]
    even, uneven = sending(), sending("--arrivals", "poisson", "--seed", 5)
    constant = gaps(*even)
    # The two cores begin at different times, and as long as both send gaps alternate; two together are exact.
    for pair in zip(constant[100:200:2], constant[101:200:2]):
        expect(abs(sum(pair) - 2e9 / 300) < 1000, f"gaps of {pair} ns at a constant rate of 300")
    poisson = gaps(*uneven)
    mean = sum(poisson) / len(poisson)
    expect(0.7 < mean / (1e9 / 300) < 1.4, f"mean gap of {mean} ns at a rate of 300")
    expect(sum(gap < mean / 4 for gap in poisson) > 30, "few short gaps: not by chance")
    expect(sum(gap > mean * 2 for gap in poisson) > 20, "few long gaps: not by chance")


def warm_up(rig):
    """The slow beginning is not in the figures, and is in the timeline."""
    began = time.monotonic()
    server = FakeServer(rig, delay=lambda number: 0.3 if time.monotonic() - began < 0.9 else 0)
    counted = start(rig, FakeServer(rig), "--messages", 50, "--warm-up", 1, "--sessions", 2)
    began = time.monotonic()
    told = send(rig, server, "--rate", 100, "--seconds", 1, "--warm-up", 2, "--sessions", 200)
    expect_equal(told["messages"], 100)
    expect_equal(told["warm_up_s"], 2)
    expect(told["latency_us"]["p50"] < 300e3, f"the warm-up is in the figures: {told['latency_us']['p50']}")
    expect_equal(sum(second["messages"] for second in told["timeline"]), 300, "messages of the timeline")
    untold = sum(b"X-Ringpost-Bench-Time: 00000000000000000000" in m.text for m in server.messages())
    expect_equal(untold, 200, "messages of the warm-up, which shall not say when they were due")
    told = told_by(counted)
    expect_equal(told["messages"], 50)
    expect(sum(second["messages"] for second in told["timeline"]) > 50, "nothing was sent to warm up")


def ramp(rig):
    """Half as much in the time of the ramp; sessions come one after the other."""
    paced = start(rig, FakeServer(rig), "--rate", 100, "--seconds", 2, "--ramp", 2, "--sessions", 50)
    server = FakeServer(rig, delay=lambda number: 0.01)
    told = send(rig, server, "--seconds", 2, "--ramp", 1, "--sessions", 20)
    expect_equal(told["sessions"], 20)
    first = told["timeline"][0]
    expect(first["messages"] < told["timeline"][1]["messages"], f"no ramp: {told['timeline']}")
    told = told_by(paced)
    expect_equal(told["messages"], 100)
    expect_equal(told["sessions"], 50)
    expect(told["timeline"][0]["sessions"] < 40, f"its sessions came at once: {told['timeline']}")


def nobody_there(rig):
    """What was due and could not be begun is told, and no success."""
    server = FakeServer(rig)
    server.stop()
    told = send(rig, server, "--rate", 1000, "--seconds", 1, "--wait-retry", 1, status=1)
    expect(told["unsent"] > 500, f"{told['unsent']} unsent of a thousand")
    expect(sum(second["errors"] for second in told["timeline"]) > 0, "no errors in the timeline")


if __name__ == "__main__":
    sys.exit(ringpost.main(arrivals, warm_up, ramp, nobody_there))
