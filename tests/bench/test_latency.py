#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Known delays must come out as the percentiles they are, and a stall must show where it was.

No bound is the speed of the machine: delays are injected, and orders of magnitude longer than what they are told from.
"""
import json
import sys

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
    """Two sessions, 25 ms each: 80 a second.  At 160 a second the queue, and with it the latency, grows to a second."""
    server = FakeServer(rig, delay=lambda number: 0.025)
    told = send(rig, server, "--rate", 160, "--seconds", 1, "--sessions", 2)
    expect_equal(told["messages"], 160)
    expect(told["latency_us"]["max"] > 0.75e6, f"max is {told['latency_us']['max']}")
    expect(told["latency_us"]["p50"] > 5 * told["transaction_us"]["p50"], "the latency does not count from when it was due")


if __name__ == "__main__":
    sys.exit(ringpost.main(delays, stall_in_open_loop, stall_in_closed_loop, server_slower_than_the_rate))
