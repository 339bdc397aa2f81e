#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""P1, P2, P3: ringpost is killed at random instants under load, again and again; then the ledgers must balance.

Senders at full speed: small texts by DATA, one group of commands behind the other; middling ones by BDAT; large ones that go to
the spool in pieces.  The next hop refuses now and then, for good and for now, so that deferrals and
reports are under way at the kills too.  In the end all that was answered 250 has arrived or was reported, nothing else
has, and each second copy has a restart between itself and the first.

RINGPOST_SEED=N repeats the choices of a run; what the machine makes of them differs.
"""
import bisect
import collections
import signal
import sys
import time

import ringpost
from ringpost import expect, expect_equal, wait_until

ROUNDS = 100 if ringpost.LONG else 10
LOAD_MAX = 5000     # messages answered before a kill
EARLY_S = 0.05      # a kill during the start comes within this

SENDERS = {
    "small": ["--sessions", 20, "--size", 2000, "--recipients", 3, "--pool", 60, "--pipelining", "overlap"],
    "middling": ["--sessions", 4, "--size", 40000, "--recipients", 2, "--pool", 10, "--bdat"],
    "large": ["--sessions", 3, "--size", 400000, "--recipients", 1, "--bdat"],
    "larger": ["--sessions", 1, "--size", 1000000, "--recipients", 5],
}

# Of one incarnation, at the instant of its kill: recipients that the next hop had taken and whose result was not yet on
# disk.  In time the window is result_delay and one commit (docs/queue-format.md); in number it is what the next hop
# takes meanwhile, which depends on the machine.  This only says that it is an exception and not the rule.
DUPLICATES_PER_KILL_MAX = 1000


def copies(path):
    """When each recipient of each message arrived, in milliseconds since 1970, in order."""
    arrived = collections.defaultdict(list)
    for message, recipient, time_ms in ringpost.arrivals(path):
        arrived[message, recipient].append(time_ms)
    return arrived


def unexplained(path, kills, readies):
    """Second copies without a restart in between, and the longest time from a first copy to the kill."""
    found, oldest = [], 0
    for what, times in copies(path).items():
        for first, second in zip(times, times[1:]):
            # The next hop may read what a dead ringpost sent a moment after its death.
            n = bisect.bisect_left(readies, first)
            if n == len(kills) or second < kills[n]:
                found.append((what, first, second))
            else:
                oldest = max(oldest, kills[n] - first)
    return found, oldest


def wall_ms():
    return time.time_ns() // 1000000


def kill(rig):
    chance = ringpost.chance()
    sink = rig.bench_sink("--refuse-rcpt", "550:1", "--refuse-dot", "451:1", "--seed", chance.randrange(1, 1 << 32))
    # Reports must arrive, or nobody could tell a lost message from one whose report was refused.
    reports = rig.bench_sink(name="reports", ledger=sink.ledger)
    mta = rig.ringpost(routes={"*": f"smtp:127.0.0.1:{sink.port}", "sender.example.org": f"smtp:127.0.0.1:{reports.port}"},
                       retry={"first": "1 s", "max": "2 s"},
                       spool={"inline_max": "64 KiB", "space_free_min": 0})
    mta.start()
    sent = rig.path("sent.ledger")
    senders = [rig.bench("send", "--to", f"127.0.0.1:{mta.port}", "--seconds", 100000, "--wait-retry", ringpost.PATIENCE_S,
                         "--from", "bench@sender.example.org", "--ledger", sent, *words, name="send-" + name) for name, words in SENDERS.items()]

    # The instant of each kill, and when the one after was ready.
    kills, readies = [], []
    while len(kills) < ROUNDS:
        load = ringpost.count_lines(sent) + chance.randrange(1, LOAD_MAX)
        mta.await_(lambda: ringpost.count_lines(sent) >= load, f"to answer {load} messages")
        kills.append(wall_ms())
        mta.kill()
        while chance.random() < 0.3:  # while it starts
            mta.launch()
            time.sleep(chance.random() * EARLY_S)
            mta.kill()
        mta.start()
        readies.append(wall_ms())

    for sender in senders:
        sender.send(signal.SIGINT)
    for sender in senders:
        expect(sender.wait() in (0, 1), f"{sender.name} did not end well")

    def drained():
        account.update(rig.balance(sent, sink.ledger))
        return account["missing"] == 0

    account = {}
    wait_until(lambda: f"the queue to drain: {account}", drained)
    mta.stop()
    expect_equal(mta.waiting(), 0, "messages in the spool after all was delivered")
    expect_equal(mta.log("queue-damage", whole=True), [], "damage in the spool")
    sink.stop()
    reports.stop()

    account = rig.balance(sent, sink.ledger)
    for sort in ("missing", "forbidden", "altered", "broken", "strangers"):
        expect_equal(account[sort], 0, f"{sort}; {account}")
    expect(account["accepted"] >= ROUNDS, f"hardly anything was sent: {account}")
    without, oldest = unexplained(sink.ledger, kills, readies)
    expect_equal(without, [], "duplicates without a restart between the copies")
    expect(account["duplicates"] <= ROUNDS * DUPLICATES_PER_KILL_MAX, f"too many duplicates: {account}")
    return (f"{ROUNDS} kills, {account['accepted']} messages accepted for {account['owed']} recipients, none missing; "
            f"{account['duplicates']} duplicates, the oldest from {oldest} ms before a kill; {account['reported']} reported; "
            f"of {account['unknown_arrived'] + account['unknown_absent']} unanswered {account['unknown_arrived']} arrived")


if __name__ == "__main__":
    sys.exit(ringpost.main(kill))
