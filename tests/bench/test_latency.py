#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Known delays must come out as the percentiles they are, and a stall must show where it was.

No bound is the speed of the machine: delays are injected, and orders of magnitude longer than what they are told from.
"""
import json
import sys
import time

import ringpost
from fake_server import FakeServer, send, start
from ringpost import expect, expect_equal


def above(latency, ms):
    """How many values are above so many milliseconds."""
    return sum(count for upper_us, count in latency["buckets"] if upper_us > ms * 1000)


def delays(rig):
    """Every twentieth answer comes 400 ms late."""
    server = FakeServer(rig, delay=lambda number: 0.4 if number % 20 == 10 else 0)
    told = send(rig, server, "--messages", 400, "--sessions", 4)
    latency = told["latency_us"]
    expect_equal(told["messages"], 400)
    expect_equal(sum(count for _, count in latency["buckets"]), 400, "what the buckets add up to")
    expect(20 <= above(latency, 399) <= 40, f"{above(latency, 399)} of 400 are above the delay of 20")
    expect(latency["p50"] < 400e3 <= latency["p99"] <= latency["p99_9"] <= latency["max"], f"percentiles: {latency}")
    expect(latency["p90"] < 400e3, f"p90 is {latency['p90']}")
    expect(told["commit_us"]["p99"] >= 399e3, "the commit does not have the delay")
    expect_equal(sum(count for _, count in told["connect_us"]["buckets"]), 4, "connections")


def stalled(rig, *words):
    server = FakeServer(rig)
    sender = start(rig, server, "--sessions", 4, *words)
    ringpost.wait_until("the first messages", lambda: server.count > 20)
    server.stall(1)
    expect_equal(sender.wait(), 0, f"exit status of the sender: {sender.err()}")
    return json.loads(sender.out())


def stall_in_open_loop(rig):
    """A server that stands still for a second keeps some 200 messages waiting, the first for all of it.  They are sent, and
    their waiting is told, though no more than four could be asked for."""
    told = stalled(rig, "--rate", 200, "--seconds", 3)
    latency = told["latency_us"]
    expect_equal(told["messages"], 600)
    expect_equal(told["unsent"], 0)
    expect(above(latency, 100) >= 150, f"{above(latency, 100)} waited for more than a tenth of the stall")
    expect(above(latency, 500) >= 80, f"{above(latency, 500)} waited for more than half of the stall")
    expect(latency["p99"] > 800e3, f"p99 is {latency['p99']}")
    expect(told["transaction_us"]["p50"] < latency["max"], "the transaction does not differ from the latency")
    worst = max(told["timeline"], key=lambda second: second["p99_us"])
    expect(worst["p99_us"] > 800e3, f"no second of the timeline has the stall: {told['timeline']}")
    expect_equal(sum(second["messages"] for second in told["timeline"]), 600, "messages of the timeline")


def stall_in_closed_loop(rig):
    """Four messages meet the stall, whatever its length: why the open loop is there."""
    told = stalled(rig, "--messages", 1500)
    expect(above(told["latency_us"], 500) <= 8, "more than those that were under way waited")
    expect(told["latency_us"]["p99"] < 500e3, f"p99 is {told['latency_us']['p99']}")
    expect(told["latency_us"]["max"] > 800e3, f"max is {told['latency_us']['max']}")


def server_slower_than_the_rate(rig):
    """Two sessions, 50 ms each: 40 a second.  At 80 a second the queue, and with it the latency, grows to a second."""
    server = FakeServer(rig, delay=lambda number: 0.05)
    told = send(rig, server, "--rate", 80, "--seconds", 2, "--sessions", 2)
    expect_equal(told["messages"], 160)
    expect(told["latency_us"]["max"] > 1.5e6, f"max is {told['latency_us']['max']}")
    expect(told["latency_us"]["p50"] > 5 * told["transaction_us"]["p50"], "the latency does not count from when it was due")


def arrivals(rig):
    """Constant gaps are equal; gaps by chance are not, and the same seed gives the same."""
    def gaps(*words):
        server = FakeServer(rig)
        told = send(rig, server, "--rate", 300, "--messages", 300, "--sessions", 20, "--cores", 2, *words)
        expect_equal(told["messages"], 300)
        due = sorted(int(m.text.split(b"X-Ringpost-Bench-Time: ")[1][:20]) for m in server.messages())
        return [after - before for before, after in zip(due, due[1:])]
    constant = gaps()
    # The two cores begin at slightly different times, so gaps alternate; two together are exact.
    for pair in zip(constant[0::2], constant[1::2]):
        expect(abs(sum(pair) - 2e9 / 300) < 1000, f"gaps of {pair} ns at a constant rate of 300")
    poisson = gaps("--arrivals", "poisson", "--seed", 5)
    mean = sum(poisson) / len(poisson)
    expect(0.7 < mean / (1e9 / 300) < 1.4, f"mean gap of {mean} ns at a rate of 300")
    expect(sum(gap < mean / 4 for gap in poisson) > 30, "few short gaps: not by chance")
    expect(sum(gap > mean * 2 for gap in poisson) > 20, "few long gaps: not by chance")


def warm_up(rig):
    """The slow beginning is not in the figures, and is in the timeline."""
    began = time.monotonic()
    server = FakeServer(rig, delay=lambda number: 0.3 if time.monotonic() - began < 0.9 else 0)
    began = time.monotonic()
    told = send(rig, server, "--rate", 100, "--seconds", 1, "--warm-up", 2, "--sessions", 200)
    expect_equal(told["messages"], 100)
    expect_equal(told["warm_up_s"], 2)
    expect(told["latency_us"]["p50"] < 300e3, f"the warm-up is in the figures: {told['latency_us']['p50']}")
    expect_equal(sum(second["messages"] for second in told["timeline"]), 300, "messages of the timeline")
    told = send(rig, FakeServer(rig), "--messages", 50, "--warm-up", 1, "--sessions", 2)
    expect_equal(told["messages"], 50)
    expect(sum(second["messages"] for second in told["timeline"]) > 50, "nothing was sent to warm up")


def ramp(rig):
    """Half as much in the time of the ramp; sessions come one after the other."""
    told = send(rig, FakeServer(rig), "--rate", 100, "--seconds", 2, "--ramp", 2, "--sessions", 50)
    expect_equal(told["messages"], 100)
    server = FakeServer(rig, delay=lambda number: 0.01)
    told = send(rig, server, "--seconds", 2, "--ramp", 1, "--sessions", 20)
    expect_equal(told["sessions"], 20)
    first = told["timeline"][0]
    expect(first["messages"] < told["timeline"][1]["messages"], f"no ramp: {told['timeline']}")


def nobody_there(rig):
    """What was due and could not be begun is told, and no success."""
    server = FakeServer(rig)
    server.stop()
    told = send(rig, server, "--rate", 1000, "--seconds", 1, "--wait-retry", 1, status=1)
    expect(told["unsent"] > 500, f"{told['unsent']} unsent of a thousand")
    expect(sum(second["errors"] for second in told["timeline"]) > 0, "no errors in the timeline")


if __name__ == "__main__":
    sys.exit(ringpost.main(delays, stall_in_open_loop, stall_in_closed_loop, server_slower_than_the_rate, arrivals,
                           warm_up, ramp, nobody_there))
