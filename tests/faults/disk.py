#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""P8: when the disk is full new mail is refused with 452, what is queued stays and goes out, and all is well again as soon as there
is space.  When the log's disk is full mail goes on."""
import sys
import time

import client
import ringpost
import sink
import small_disk
from ringpost import expect, expect_equal, expect_in, wait_until

MIB = 1 << 20
TEXT = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 20000


class Hop:
    """A next hop that can go away."""

    def __init__(self, rig):
        self.away = True
        self.sink = sink.Sink(rig, answer=lambda verb, rest: "451 4.3.0 away" if self.away and verb == "MAIL" else None)
        self.route = {"*": f"smtp:127.0.0.1:{self.sink.port}"}


class Account:
    """What was sent and taken."""

    def __init__(self, mta):
        self.mta, self.taken, self.count = mta, [], 0

    def send(self, text=TEXT):
        """One message; the reply."""
        to = f"m{self.count}@example.org"
        self.count += 1
        with client.Client(self.mta.port) as c:
            code, reply = c.transaction("a@example.org", [to], text)
        if code == 250:
            self.taken.append(to)
        return code, reply

    def send_until_refused(self, text=TEXT):
        """It must be with 452 4.3.1."""
        def refused():
            code, reply = self.send(text)
            if code == 250:
                return False
            expect_equal((code, reply[:5]), (452, b"4.3.1"), f"refusal: {reply}")
            return True
        wait_until("new mail to be refused", refused)

    def send_until_taken(self):
        wait_until("new mail to be taken", lambda: self.send()[0] == 250)

    def expect_delivered(self, hop):
        for to in self.taken:
            expect_equal(len(hop.sink.wait(to)), 1, f"copies for {to}")
        expect_equal(len(hop.sink.messages), len(self.taken), "messages at the next hop")


def settings(hop, disk, **spool):
    return {"routes": hop.route, "retry": {"first": "1 s", "max": "1 s"},
            "spool": {"directory": disk.path, "space_free_min": 0, **spool}}


def below_floor(rig):
    hop = Hop(rig)
    disk = small_disk.SmallDisk(rig, "disk", 96 * MIB)
    mta = rig.ringpost(**settings(hop, disk, space_free_min="16 MiB")).start()
    mail = Account(mta)
    expect_equal(mail.send()[0], 250, "mail while there is space")
    disk.fill(leave=15 * MIB)
    mta.wait_log("queue-space-low", 2)  # each core looks for itself
    code, reply = mail.send()
    expect_equal((code, reply[:5]), (452, b"4.3.1"), f"mail while there is none: {reply}")
    expect_in("spool.space_free_min", mta.ctl("status").stdout, "what the status says")
    hop.away = False
    mail.expect_delivered(hop)
    expect_equal(mail.send()[0], 452, "mail while there is still none")
    disk.empty()
    mta.wait_log("queue-space-enough", 2)
    expect_equal(mail.send()[0], 250, "mail when there is space again")
    mail.expect_delivered(hop)
    mta.stop()
    expect_equal(mta.waiting(), 0, "messages left")


def full(rig):
    """Not an octet left, also over a restart."""
    hop = Hop(rig)
    disk = small_disk.SmallDisk(rig, "disk", 64 * MIB)
    mta = rig.ringpost(**settings(hop, disk)).start()
    mail = Account(mta)
    expect_equal(mail.send()[0], 250, "mail while there is space")
    disk.fill()
    mail.send_until_refused()
    taken = len(mail.taken)
    mta.kill()
    disk.fill()
    mta.start()
    expect_equal(mta.found(), taken, "messages found again")
    mail.send_until_refused()
    disk.empty()
    mail.send_until_taken()
    hop.away = False
    mail.expect_delivered(hop)
    mta.stop()
    expect_equal(mta.waiting(), 0, "messages left")
    expect_equal(mta.log("queue-damage", whole=True), [], "damage")
    return f"{taken} messages until it was full"


def full_and_delivering(rig):
    """Mail goes out of a full disk, which makes space by itself."""
    hop = Hop(rig)
    disk = small_disk.SmallDisk(rig, "disk", 64 * MIB)
    mta = rig.ringpost(**settings(hop, disk)).start()
    mail = Account(mta)
    mail.send_until_refused()
    hop.away = False
    mail.expect_delivered(hop)
    mail.send_until_taken()
    mail.expect_delivered(hop)
    mta.stop()
    expect_equal(mta.waiting(), 0, "messages left")
    return f"{len(mail.taken)} messages"


def spool_limit(rig):
    """spool.size_max, with large texts."""
    hop = Hop(rig)
    disk = small_disk.SmallDisk(rig, "disk", 512 * MIB)
    mta = rig.ringpost(cores=1, **settings(hop, disk, size_max="256 MiB")).start()
    mail = Account(mta)
    mail.send_until_refused(b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 600000)
    expect(disk.free() >= 256 * MIB, f"only {disk.free()} octets are free")
    expect_in("spool.size_max", mta.ctl("status").stdout, "what the status says")
    expect(len(mail.taken) > 15, f"only {len(mail.taken)} messages were taken")
    hop.away = False
    mail.expect_delivered(hop)
    mail.send_until_taken()
    mail.expect_delivered(hop)
    mta.stop()
    return f"{len(mail.taken)} messages"


def log_full(rig):
    hop = Hop(rig)
    hop.away = False
    disk = small_disk.SmallDisk(rig, "logs", 4 * MIB)
    mta = rig.ringpost(routes=hop.route, log={"file": "logs/log", "level": "debug"})
    mta.log_path, mta.log_torn = disk.path + "/log", True
    mta.start()
    mail = Account(mta)
    expect_equal(mail.send()[0], 250, "mail while the log can be written")
    mail.expect_delivered(hop)
    disk.fill()

    def deaf():
        before, patience = mta.log("accepted"), time.monotonic() + 1
        expect_equal(mail.send()[0], 250, "mail while the log cannot be written")
        while len(mta.log("accepted")) == len(before) and time.monotonic() < patience:
            time.sleep(0.01)
        return len(mta.log("accepted")) == len(before)
    wait_until("the log to be full", deaf)
    for _ in range(20):
        expect_equal(mail.send()[0], 250, "mail while the log cannot be written")
    mail.expect_delivered(hop)
    disk.empty()

    def told():
        expect_equal(mail.send()[0], 250, "mail")
        return mta.log("log-dropped")
    lost = wait_until("the log to tell what it lost", told)
    expect(sum(line["lines"] for line in lost) >= 20, f"it tells of {lost}")
    mta.stop()


def read_only(rig):
    disk = small_disk.SmallDisk(rig, "disk", MIB, "ro")
    mta = rig.ringpost(spool={"directory": "disk"}).launch()
    expect_equal(mta.process.wait(), 1, "exit status")
    expect("Read-only file system" in mta.process.err(), f"it says: {mta.process.err()}")
    del disk


if __name__ == "__main__":
    small_disk.own_mounts()
    sys.exit(ringpost.main(below_floor, full, full_and_delivering, spool_limit, log_full, read_only))
