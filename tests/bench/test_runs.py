#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole runs and comparisons with tiny counts, as people start them: the result is there and whole.  No figure is judged."""
import json
import os
import signal
import sys
import time

import laboratory  # noqa: F401
import ringpost
from lab import measure
from ringpost import expect, expect_equal, expect_in


def bench(rig, *words, status=0):
    """ringpost-bench, to its end; the result it wrote, and what it said."""
    out = rig.path("result.json")
    done = rig.run("ringpost-bench", *words, "--dir", rig.directory, "--out", out)
    expect_equal(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
    left = [name for name in os.listdir(rig.directory) if name.startswith("ringpost-bench-")]
    expect_equal(left, [], "directories of runs are gone")
    return json.loads(ringpost.read_text(out)), done


def scenario(rig, text):
    path = rig.path("tiny.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def two_are_compared(rig):
    """Accepted mail, ringpost and the bare receiver, two rounds."""
    path = scenario(rig, "description: tiny\ntarget: {cores: 1}\nsend: {sessions: 4, messages: 200}\n")
    whole, done = bench(rig, "compare", path, "--peers", "ringpost,floor", "--rounds", "2")
    expect_equal(whole["format"], 1)
    expect_equal((whole["scenario"]["name"], whole["scenario"]["description"]), ("tiny", "tiny"))
    expect_in("messages: 200", whole["scenario"]["text"])
    for key in ("cpu", "cores", "memory_octets", "kernel", "file_system", "device", "sync_4k_us", "load_before"):
        expect_in(key, whole["machine"])
    expect(whole["machine"]["sync_4k_us"]["p50"] > 0, "the disk was measured")
    expect_in("data sync", whole["targets"]["ringpost"]["sync"])
    expect_in("hostname:", whole["targets"]["ringpost"]["settings"])
    expect(whole["tool"]["version"], "the tool has a version")
    expect_equal([(run["target"], run["round"]) for run in whole["runs"]],
                 [("ringpost", 1), ("floor", 1), ("floor", 2), ("ringpost", 2)], "rounds alternate and rotate")
    for run in whole["runs"]:
        metrics = run["metrics"]
        expect_equal((metrics["messages"], metrics["errors"]), (200, 0))
        for name in ("rate", "octets_per_s", "seconds", "target_cpu_s", "target_cpu_us", "target_rss_octets",
                     "generator_cpu_us"):
            expect(metrics[name] > 0, f"{name} of {run['target']}: {metrics[name]}")
        accept = run["latencies"]["accept"]
        expect(0 < accept["p50"] <= accept["p99"] <= accept["max"], str(accept))
        expect_equal(sum(count for _, count in accept["buckets"]), 200, "each message is in a bucket")
        expect_equal(sum(point["messages"] for point in run["timeline"]), 200, "and in the timeline")
    rows = {row["target"]: row for row in whole["summary"]}
    expect_equal(rows["ringpost"]["metrics"]["messages"], {"median": 200, "min": 200, "max": 200})
    expect(rows["ringpost"]["ratios"]["floor"]["rate"] > 0, "and its ratio")
    lines = done.stdout.split("\n")
    expect_in("rate to floor", lines[0])
    expect(lines[1].startswith("ringpost") and lines[2].startswith("floor"), done.stdout)


def mail_is_delivered(rig):
    """Relayed mail: the run ends with an empty queue, and ledgers balance."""
    # A next hop so slow that the senders are done long before.
    path = scenario(rig, "target: {next_hop: sink, cores: 1}\nsink: {delay: 50}\nsend: {sessions: 4, messages: 200}\n"
                         "until: delivered\nledger: yes\nwatch_queue: yes\n")
    whole, _ = bench(rig, "run", path)
    metrics = whole["runs"][0]["metrics"]
    expect_equal((metrics["delivered"], metrics["missing"], metrics["duplicates"]), (200, 0, 0))
    expect(metrics["accept_rate"] > 0, "the way in has a rate of its own")


def what_does_not_arrive_is_told(rig):
    """All of it refused by the next hop: the rate is not that of taking mail."""
    path = scenario(rig, "target: {next_hop: sink, cores: 1}\nsink: {refuse-rcpt: '550:100'}\n"
                         "send: {sessions: 4, messages: 50}\nuntil: delivered\n")
    whole, done = bench(rig, "compare", path, "--peers", "ringpost,floor", "--rounds", "1")
    lost, floor = whole["runs"]
    expect_equal((lost["metrics"]["rate"], lost["metrics"]["delivered"]), (0, 0))
    expect(lost["metrics"]["accept_rate"] > 0, "and yet it was taken")
    expect_in("50 of 50 messages did not arrive", done.stderr)
    expect(floor["metrics"]["rate"] > 0, "of who delivers nothing by nature it is")


def a_backlog_drains(rig):
    path = scenario(rig, "target: {next_hop: sink, cores: 1}\nsend: {sessions: 4, messages: 200}\nuntil: delivered\n"
                         "events:\n  - {at: start, do: next-hop-down}\n  - {at: sent, do: next-hop-up}\n"
                         "  - {at: sent, do: flush}\n")
    whole, _ = bench(rig, "run", path)
    metrics = whole["runs"][0]["metrics"]
    expect_equal(metrics["delivered"], 200)
    expect(metrics["fill_rate"] > 0 and metrics["rate"] > 0, "both have rates")
    expect_equal([event["do"] for event in whole["runs"][0]["events"]], ["next-hop-up", "flush"])


def a_kill_loses_nothing(rig):
    path = scenario(rig, "target: {next_hop: sink, cores: 1}\n"
                         "send: {sessions: 4, seconds: 2, rate: 200, wait-retry: 20}\nuntil: delivered\nledger: yes\n"
                         "events:\n  - {at: 300 ms, do: restart}\n  - {at: 1 s, do: kill}\n")
    whole, _ = bench(rig, "run", path)
    run = whole["runs"][0]
    expect_equal(run["metrics"]["missing"], 0)
    expect(run["metrics"]["messages"] > 0, "mail was taken")
    expect(run["metrics"]["errors"] > 0, "sessions broke")
    expect_equal([event["do"] for event in run["events"]], ["restart", "kill"])


def steps_take_their_share(rig):
    """Half of the maximum, which is measured first; and idle sessions beside nothing."""
    path = scenario(rig, "target: {cores: 1}\nhold: 100 ms\nmaximum: {send: {messages: 200}}\n"
                         "send: {sessions: 4, seconds: 1}\nsteps:\n  - {label: half, send: {rate: 1 %}}\n"
                         "  - {label: idle, senders: {send: none}, idle: {sessions: 50}}\n")
    whole, _ = bench(rig, "run", path)
    most, half, idle = whole["runs"]
    expect_equal([run["step"] for run in whole["runs"]], ["maximum", "half", "idle"])
    expect(half["metrics"]["rate"] < most["metrics"]["rate"] / 5, "the rate was kept")
    expect_equal(idle["metrics"]["idle_sessions"], 50)
    expect_in("session_octets", idle["metrics"])


def builds_are_told_apart(rig):
    """Two directories of ringpost, as tools compare an old one with a new one."""
    path = scenario(rig, "target: {cores: 1}\nsend: {messages: 50}\n")
    old = rig.path("old")
    os.symlink(ringpost.BIN, old)
    whole, _ = bench(rig, "compare", path, "--peers", f"ringpost@{old},ringpost@{ringpost.BIN}", "--rounds", "1")
    expect_equal(list(whole["targets"]), [f"ringpost@{old}", f"ringpost@{ringpost.BIN}"])
    expect_equal(len(whole["runs"]), 2)


def who_is_not_there_is_left_out(rig):
    path = scenario(rig, "target: {cores: 1}\nsend: {messages: 50}\n")
    whole, done = bench(rig, "compare", path, "--peers", f"ringpost,floor@{rig.directory}", "--rounds", "1")
    expect_equal(list(whole["targets"]), ["ringpost"])
    expect_in("is left out", done.stderr)
    expect_in("is left out", whole["warnings"][0])


def errors_are_told(rig):
    path = scenario(rig, "target: {cores: 1}\nsend: {messages: 50, rcpt: 'no-mailbox'}\n")
    whole, done = bench(rig, "run", path)
    expect(whole["runs"][0]["metrics"]["errors"] >= 50, "each message was refused")
    expect_in("errors: ", done.stderr)


def an_interrupt_tidies_up(rig):
    path = scenario(rig, "target: {cores: 1}\nsend: {seconds: 600, rate: 50}\n")
    process = rig.process("run", [laboratory.BENCH, "run", path, "--dir", rig.directory, "--out", rig.path("r.json")])
    def sending():
        return any(os.path.exists(os.path.join(where, "send-send.out")) for where, _, _ in os.walk(rig.directory))
    ringpost.wait_until("the sender", sending)
    time.sleep(0.05)
    process.send(signal.SIGTERM)
    expect_equal(process.wait(), 1, "it has no figures: " + process.err())
    whole = json.loads(ringpost.read_text(rig.path("r.json")))
    expect_in("interrupted", " ".join(whole["warnings"]))
    left = [name for name in os.listdir(rig.directory) if name.startswith("ringpost-bench-")]
    expect_equal(left, [], "nothing is left")


def our_death_leaves_nothing(rig):
    """SIGKILL of the whole: target, sink and sender end too."""
    path = scenario(rig, "target: {cores: 1, next_hop: sink}\nsend: {seconds: 600, rate: 50}\n")
    process = rig.process("run", [laboratory.BENCH, "run", path, "--dir", rig.directory, "--out", rig.path("r.json")])
    below = ringpost.wait_until("target, sink and sender", lambda: len(found := [
        pid for pid in measure.descendants(measure.processes(), process.pid)
        if read_name(pid).startswith("ringpost")]) >= 3 and found)
    process.kill()
    ringpost.wait_until("them to end", lambda: not any(read_name(pid) for pid in below))


def read_name(pid):
    """The name of a process that lives; empty when it does not, or ends while it is asked."""
    try:
        text = ringpost.read_text(f"/proc/{pid}/status")
    except ProcessLookupError:
        return ""
    return "" if "\nState:\tZ" in text else text.partition("\n")[0].removeprefix("Name:\t")


if __name__ == "__main__":
    sys.exit(ringpost.main(two_are_compared, mail_is_delivered, what_does_not_arrive_is_told, a_backlog_drains, a_kill_loses_nothing,
                           steps_take_their_share, builds_are_told_apart, who_is_not_there_is_left_out, errors_are_told,
                           an_interrupt_tidies_up, our_death_leaves_nothing))
