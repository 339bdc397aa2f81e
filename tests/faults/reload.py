#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: new settings are taken whole or not at all, and the log is opened anew without losing a line."""
import os
import sys

import client
import ringpost
import sink
from ringpost import expect, expect_equal, wait_until

TEXT = b"Subject: x\r\n\r\nbody\r\n"


def announced(mta):
    """What a new session hears as SIZE."""
    with client.Client(mta.port) as c:
        return int(c.esmtp_features["size"])


def good_and_bad_file(rig):
    hop = sink.Sink(rig)
    mta = rig.ringpost(routes={"*": f"smtp:127.0.0.1:{hop.port}"}, inbound={"message_size_max": 1000000}).start()
    with client.Client(mta.port) as old:
        with open(mta.config, "r+", encoding="ascii") as file:
            good = file.read()
            file.seek(0)
            file.write(good.replace('"message_size_max": 1000000', '"message_size_max": 2000000, "message_size_min": 1'))
            file.truncate()
        mta.reload()
        why = mta.wait_log("reload-failed")[0]["why"]
        expect(f"{os.path.basename(mta.config)}:" in why and "message_size_min" in why, f"it says {why}")
        expect_equal(announced(mta), 1000000, "SIZE after a bad file")
        os.rename(mta.config, mta.config + ".away")
        mta.reload()
        mta.wait_log("reload-failed", 2)
        expect_equal(announced(mta), 1000000, "SIZE after no file")
        expect_equal(mta.log("reloaded"), [], "settings taken over")
        mta.configure({"inbound": {"message_size_max": 2000000}})
        mta.reload()
        mta.wait_log("reloaded", 2)
        expect_equal(announced(mta), 2000000, "SIZE after a good file")
        expect_equal(old.transaction("a@example.org", ["old@example.org"], TEXT)[0], 250, "a session from before")
        hop.wait("old@example.org")
    mta.stop()


def log_beside_a_bad_file(rig):
    """Whatever the settings say, the log that was renamed gets no further line."""
    mta = rig.ringpost().start()
    with open(mta.config, "a", encoding="ascii") as file:
        file.write("\nnonsense\n")
    os.rename(mta.log_path, rig.path("rotated"))
    mta.log_from = 0
    mta.reload()
    mta.wait_log("reload-failed")
    mta.stop()


def needs_restart(rig):
    """What cannot change while it runs is told of, and the rest changes."""
    mta = rig.ringpost(inbound={"message_size_max": 1000000}).start()
    mta.configure({"listen": f"127.0.0.1:{rig.port()}", "inbound": {"message_size_max": 2000000}})
    mta.reload()
    mta.wait_log("reloaded", 2)
    expect_equal(mta.wait_log("restart-needed")[0]["settings"], "listen", "what waits")
    expect_equal(announced(mta), 2000000, "SIZE on the old port")
    again = mta.ctl("reload")
    expect_equal(again.returncode, 1, "exit status of another reload")
    expect("restart: listen" in again.stderr, f"it says {again.stderr}")
    expect("wait for a restart: listen" in mta.ctl("status").stdout, "no word of it in the status")
    # As it runs: nothing waits any more.
    mta.configure({"listen": f"127.0.0.1:{mta.port}"})
    expect_equal(mta.ctl("reload").returncode, 0, "exit status with the old address")
    expect("wait for a restart" not in mta.ctl("status").stdout, "the status still speaks of a restart")
    mta.stop()


def routes(rig):
    """Mail that waits for one next hop goes to another when the operator says so."""
    gone, hop = rig.port(), sink.Sink(rig)
    mta = rig.ringpost(routes={"*": f"smtp:127.0.0.1:{gone}"}, retry={"first": "1 s", "max": "1 s"},
                       outbound={"down_pause": "1 s"}).start()
    with client.Client(mta.port) as c:
        expect_equal(c.transaction("a@example.org", ["b@example.org"], TEXT)[0], 250, "mail")
    mta.wait_log("deferred")
    mta.configure({"routes": {"*": f"smtp:127.0.0.1:{hop.port}"}})
    mta.reload()
    hop.wait("b@example.org")
    mta.wait_log("delivered")
    mta.stop()


def standard_error(rig):
    """The log goes to standard error and back to a file, and each keeps its own lines."""
    mta = rig.ringpost().start()
    path = mta.settings["log"]["file"]
    for number, file in enumerate(("", path, "", path)):
        mta.configure({"log": {"file": file, "level": "debug" if number % 2 else "info"}})
        where = (lambda: ringpost.read_text(mta.log_path)) if file else mta.process.err
        before = where().count('"reloaded"')
        mta.reload()
        wait_until(f"the log to go to {file or 'standard error'}", lambda: where().count('"reloaded"') == before + 2)
    mta.stop()
    expect(ringpost.read_text(mta.log_path).count('"stopped"') == 2 and '"stopped"' not in mta.process.err(), "the last lines")


ROTATIONS, MESSAGES = 10, 3000


def rotation(rig):
    hop = rig.bench_sink()
    mta = rig.ringpost(routes={"*": f"smtp:127.0.0.1:{hop.port}"}).start()
    sent = rig.path("sent.ledger")
    sender = rig.bench("send", "--to", f"127.0.0.1:{mta.port}", "--messages", MESSAGES, "--rate", 2000, "--ledger", sent)
    old = []
    for n in range(ROTATIONS):
        wait_until("mail to flow", lambda: ringpost.count_lines(sent) >= n * MESSAGES // ROTATIONS)
        old.append(rig.path(f"rotated.{n}"))
        os.rename(mta.log_path, old[-1])
        mta.log_from = 0
        mta.reload()
        mta.reload()  # before all cores have followed the first
        mta.wait_log("reloaded", 2)
    expect_equal(sender.wait(), 0, "exit status of the sender")
    wait_until("all to arrive", lambda: rig.balance(sent, hop.ledger)["missing"] == 0)
    mta.stop()
    text = "".join(map(ringpost.read_text, old + [mta.log_path]))
    for event in ("accepted", "delivered"):
        expect_equal(text.count(f'"event":"{event}"'), MESSAGES, f"lines that say {event}")


if __name__ == "__main__":
    sys.exit(ringpost.main(good_and_bad_file, log_beside_a_bad_file, needs_restart, routes, standard_error, rotation))
