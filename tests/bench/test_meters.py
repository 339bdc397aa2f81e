#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What counts processor time counts it all: of children that lived for a moment, of daemons that left their parent, and nobody
else's; and what makes a run doubtful is noticed."""
import json
import os
import subprocess
import sys
import time

import laboratory  # noqa: F401
import ringpost
from lab import machine, measure, run, target
from lab.measure import Machine
from ringpost import expect, expect_equal, expect_in

KEEPER = os.path.join(os.path.dirname(measure.__file__), "keeper.py")
# A child that works so long and is waited for; a daemon of another session that does the same and lives on.
WORK = ("import os, time\n"
        "def work(s):\n"
        "    end = time.process_time() + s\n"
        "    while time.process_time() < end: pass\n"
        "for i in range(10):\n"
        "    pid = os.fork()\n"
        "    if not pid:\n"
        "        work(0.02); os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
        "if not os.fork():\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "    work(0.2); open('done', 'w').close(); time.sleep(100)\n")


class Keeper:
    def __init__(self, rig):
        self.process = subprocess.Popen([sys.executable, KEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        cwd=rig.directory, encoding="utf-8", start_new_session=True)

    def keep(self, *words):
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def keeper_counts(rig, make):
    keeper = Keeper(rig)
    account = make(keeper.process.pid)
    try:
        before = account.cpu_s()
        expect_equal(keeper.keep(sys.executable, "-S", "-c", WORK)["status"], 0)
        ringpost.wait_until("the daemon to have worked", lambda: os.path.exists(rig.path("done")))
        daemons = measure.descendants(measure.processes(), keeper.process.pid)
        expect_equal(len(daemons), 1, "the daemon is below the keeper")
        used = account.cpu_s() - before
        expect(used > 0.35, f"0.4 s were worked, {used:.2f} s counted")
    finally:
        keeper.close()
    expect(not os.path.exists(f"/proc/{daemons[0]}"), "the daemon ended with the keeper")
    account.remove()
    return f"{used:.2f} s"


def the_tree_counts_children_and_daemons(rig):
    return keeper_counts(rig, measure.Tree)


def the_group_counts_children_and_daemons(rig):
    group = measure.ControlGroup.make(f"ringpost-test-{os.getpid()}")
    if not group:
        raise ringpost.Skip("no control group may be made")

    def make(pid):
        if not group.enter(pid):
            group.remove()
            raise ringpost.Skip("nobody may be put into a control group")
        return group
    said = keeper_counts(rig, make)
    expect(not os.path.exists(group.path), "the group is gone")
    return said


def the_keeper_answers_and_kills(rig):
    keeper = Keeper(rig)
    done = keeper.keep("sh", "-c", "echo out; echo err >&2; sleep 100 & exit 3")
    expect_equal((done["status"], done["out"], done["err"]), (3, "out\n", "err\n"))
    expect_equal(len(measure.descendants(measure.processes(), keeper.process.pid)), 1)
    expect_equal(keeper.keep("kill")["status"], 0)
    expect_equal(measure.descendants(measure.processes(), keeper.process.pid), [], "nothing is left")
    expect_equal(keeper.keep("/nonexistent")["status"], 127)
    keeper.close()


def shared_memory_counts_once(rig):
    """Twenty processes that share most of what they have, all of them asked and some."""
    keeper = Keeper(rig)
    keeper.keep(sys.executable, "-S", "-c", "import os, time\nx = bytearray(1 << 25)\n"
                "for i in range(20):\n    if not os.fork(): time.sleep(100)\n")
    root = keeper.process.pid
    ringpost.wait_until("its children", lambda: len(measure.descendants(measure.processes(), root)) == 20)
    table, most = measure.processes(), measure.PSS_PROCESSES_MAX
    whole = measure.memory_octets(table, root)
    measure.PSS_PROCESSES_MAX = 4
    some = measure.memory_octets(table, root)
    measure.PSS_PROCESSES_MAX = most
    keeper.close()
    expect(1 << 25 < whole < 8 << 25, f"32 MiB shared by twenty are {whole} octets")
    expect(whole / 2 < some < whole * 2, f"{some} octets by four, {whole} by all")


def names_may_hold_anything(rig):
    fields = " ".join(["S", "7"] + ["0"] * 9 + ["100", "50", "30", "20", "0", "0", "1", "0", "0", "0", "3"])
    process = measure.process_parse(f"42 (a) b ( c) {fields}")
    expect_equal((process.pid, process.parent, process.name), (42, 7, "a) b ( c"))
    expect_equal((process.own_s, process.children_s), (150 / measure.TICK, 50 / measure.TICK))


def at(seconds, others=0.0, unseen=0.0, steal=0.0, each=None, ours=0.0, past=0.0, idle=0.0):
    """past: others' time that was used long ago and came to light only now."""
    used = others + ours
    return Machine(seconds, others + past, ours, used + past, used + unseen, steal, idle, each or {})


def a_busy_machine_is_noticed(rig):
    for label, after, part in [
            ("quiet", at(10), None),
            ("a little", at(10, others=0.4), None),
            ("a compiler", at(10, others=8, each={(1, "init"): 0.1, (9, "cc1"): 7.9}), "0.80 of a core, most of it cc1 (9)"),
            ("a compiler, and we", at(10, others=8, ours=9), "0.80 of a core"),
            ("an old shell ends", at(10, others=0.3, past=100), None),
            ("somebody unseen", at(10, unseen=5), "no process here: 0.50"),
            ("ticks are coarse", at(10, unseen=1), None),
            ("a neighbour", at(10, steal=1), "hypervisor took 0.10")]:
        warnings = measure.machine_warnings(at(0, each={(1, "init"): 0.0}), after)
        if part is None:
            expect_equal(warnings, [], label)
        else:
            expect_equal(len(warnings), 1, label)
            expect_in(part, warnings[0], label)


def who_was_the_bottleneck_is_told(rig):
    idle = measure.idle_cores(at(0), at(10, idle=5))
    expect_equal(idle, 0.5)
    busy = {"busy": 0.99, "saturated": True}
    for label, said, idle, part in [
            ("a thread that worked while others rested", [{"busy": 0.2}, busy], 0.5, "99 % of a core while 0.50 of one stood idle"),
            ("a machine without rest", [busy], 0.05, None),
            ("some work", [{"busy": 0.8}], 1.5, None),
            ("late, and that is most of the latency", [{"late_us": {"p99": 3000}, "latency_us": {"p99": 4000}}], 1, "3 ms late"),
            ("late, and the server is slower", [{"late_us": {"p99": 3000}, "latency_us": {"p99": 40000}}], 1, None),
            ("hardly late", [{"late_us": {"p99": 300}, "latency_us": {"p99": 400}}], 1, None)]:
        warnings = run.bottleneck_warnings(said, "sender", idle)
        expect_equal(len(warnings), int(part is not None), f"{label}: {warnings}")
        if part:
            expect_in(part, warnings[0], label)


def we_are_not_the_others(rig):
    before = measure.machine_now()
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    subprocess.run([sys.executable, "-S", "-c", "sum(range(5000000))"], check=True)
    after = measure.machine_now()
    expect((os.getpid(), "python3") not in after.each, "we are among the others")
    expect(after.processes_s - before.processes_s > 0.3, "and yet we are a process")


def stat_says_busy_and_steal(rig):
    busy, steal, idle = measure.stat_parse("cpu  100 200 300 400 500 600 700 800 0 0\ncpu0 1 1\n")
    expect_equal((busy * measure.TICK, steal * measure.TICK, idle * measure.TICK), (600, 800, 900))


def a_slow_disk_is_noticed(rig):
    for label, before, after, count in [
            ("fine", (150, 400), (160, 400), 0), ("slow", (8000, 9000), (8000, 9000), 1),
            ("uneven", (300, 9000), (300, 9000), 1), ("became slow", (150, 400), (450, 900), 1)]:
        found = machine.sync_warnings(dict(zip(("p50", "p99"), before)), dict(zip(("p50", "p99"), after)))
        expect_equal(len(found), count, f"{label}: {found}")
    yardstick = machine.sync_yardstick(rig.directory, 20)
    expect(0 < yardstick["p50"] <= yardstick["p99"], str(yardstick))
    expect_equal(os.listdir(rig.directory), [], "it tidies up")


def the_file_system_is_found(rig):
    text = ("1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 / /home rw shared:1 - xfs /dev/b rw\n"
            "3 1 0:5 / /home/with\\040space rw - tmpfs none rw\n")
    for path, wanted in [("/home/x", ("xfs", "/dev/b")), ("/homestead", ("ext4", "/dev/a")),
                         ("/home/with space/y", ("tmpfs", "none"))]:
        expect_equal(machine.mount_of(path, text), wanted, path)


def scripts_say_what_they_lack(rig):
    for word, part in [("floor@/nonexistent", "/nonexistent"), ("ringpost@" + rig.directory, "no ringpost")]:
        peer = target.Peer(word)
        try:
            peer.ask("install")
        except target.TargetError as error:
            expect_in(part, str(error))
            expect_in(word, str(error))
        else:
            raise AssertionError(f"{word} was installed")
    expect(target.Peer("floor").ask("somersault") is None, "a verb that nobody knows")


if __name__ == "__main__":
    sys.exit(ringpost.main(the_tree_counts_children_and_daemons, the_group_counts_children_and_daemons,
                           the_keeper_answers_and_kills, shared_memory_counts_once, names_may_hold_anything, a_busy_machine_is_noticed,
                           who_was_the_bottleneck_is_told, we_are_not_the_others, stat_says_busy_and_steal, a_slow_disk_is_noticed,
                           the_file_system_is_found, scripts_say_what_they_lack))
