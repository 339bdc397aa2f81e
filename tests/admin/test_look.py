#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""status, destinations, metrics, reload; the command line and its exit statuses."""
import os
import re
import signal
import sys

import ringpost
from client import Client
from daemon import ONCE, Daemon
from ringpost import expect, expect_equal, expect_in, wait_until


def status(rig):
    d = Daemon(rig, **ONCE)
    before = d.status()
    d.send("me@example.org", ["a@dest.example", "b@dest.example"])
    d.settled()
    s = d.status()
    expect_equal((s["hostname"], s["settings"], s["stopping"]), ("mx.example.org", d.config, False))
    expect_equal(s["messages"], before["messages"] + 1)
    expect_equal(s["recipients_open"], before["recipients_open"] + 2)
    expect_equal(s["destinations_down"], 1)
    expect_equal([core["core"] for core in s["cores"]], [0, 1])
    for key in ("messages", "recipients_open", "held", "sessions_in", "destinations_down", "segment_octets"):
        expect_equal(s[key], sum(core[key] for core in s["cores"]), key)
    text = d.ctl("status").stdout
    expect_in(f", process {d.process.pid}, up ", text)
    expect_in("\nMail is taken.\n", text)
    expect_in("\n1 next hop cannot be reached", text)
    d.stop()


def destinations(rig):
    d = Daemon(rig, **ONCE)
    d.send("me@example.org", ["a@dest.example"])
    d.settled()
    hop = d.json("destinations")[0]["destination"]
    expect_equal((hop["name"], hop["sessions"], hop["waiting"]), ("route *", 0, 0))
    expect(hop["down_until_ms"] > 0, f"not down: {hop}")
    expect_in("refused", hop["trouble"])
    expect_in("route *, down, left alone for ", d.ctl("destinations").stdout)
    d.stop()


def many_destinations(rig):
    """Address literals have a next hop each; the limit holds, and down ones come first."""
    d = Daemon(rig, outbound={"down_pause": "1 h", "port": 1}, retry={"first": "1 h"})
    d.send("me@example.org", [f"a@[127.0.{n // 200}.{n % 200 + 1}]" for n in range(300)])
    wait_until("them to be down", lambda: d.status()["destinations_down"] == 300)
    for limit, shown in ((), 100), (("--limit", "7"), 7), (("--limit", "all"), 300):
        lines = d.json("destinations", *limit)
        expect_equal(lines[-1]["end"], {"shown": shown, "matching": 300})
        hops = [line["destination"] for line in lines[:-1]]
        expect_equal(len({hop["name"] for hop in hops}), shown)
        expect(all(hop["down_until_ms"] for hop in hops), "one is not down")
    expect_in("100 of 300 next hops", d.ctl("destinations").stdout)
    d.stop()


def metrics(rig):
    d = Daemon(rig, **ONCE)
    d.send("me@example.org", ["a@dest.example"])
    text = d.ctl("metrics").stdout
    values, kinds = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kinds[name] = line.split(" ")
        elif not line.startswith("# HELP "):
            match = re.fullmatch(r'(ringpost_[a-z0-9_]+)(\{[a-z]+="[^"]*"\})? ([0-9.]+)', line)
            expect(match, line)
            name = match.group(1)
            expect_in(name, kinds)
            values[name] = values.get(name, 0) + float(match.group(3))
    expect(values["ringpost_inbound_messages_total"] >= 1, values)
    expect(values["ringpost_queue_messages"] >= 1, values)
    expect_equal(kinds["ringpost_queue_messages"], "gauge")
    expect_equal(kinds["ringpost_queue_accepted_total"], "counter")
    expect_equal(text.count("ringpost_queue_messages{"), 2)
    rows = [line["metric"] for line in d.json("metrics")[:-1]]
    expect_equal({"ringpost_" + row["name"] for row in rows},
                 set(kinds) - {"ringpost_build_info", "ringpost_start_time_seconds"})
    d.stop()


def reload(rig):
    d = Daemon(rig, **ONCE)
    digest = d.status()["digest"]
    d.configure({"relay_network": ["10.0.0.0/8"]})
    done = d.ctl("reload")
    expect_equal(done.returncode, 1)
    expect_in('did you mean "relay_networks"?', done.stderr)
    expect_equal(d.status()["digest"], digest)
    del d.settings["relay_network"]
    d.configure({"hostname": "mx2.example.org"})
    done = d.ctl("reload")
    expect_equal((done.returncode, done.stderr), (0, ""))
    expect_equal(d.status()["hostname"], "mx2.example.org")
    d.configure({"hostname": "mx.example.org"})
    expect_equal(d.ctl("reload").returncode, 0)
    expect_equal(d.status()["digest"], digest)
    d.stop()


def command_line(rig):
    d = Daemon(rig, **ONCE)
    for words, status, said in [
            (("stauts",), 2, 'did you mean "status"?'),
            (("relaod",), 2, 'did you mean "reload"?'),
            (("queues",), 2, 'did you mean "queue"?'),
            (("xyzzy",), 2, "--help lists them"),
            ((), 2, "usage: "),
            (("status", "now"), 2, "one word too many"),
            (("queue", "list"), 2, "one word too many"),
            (("status", "--all"), 2, "takes no --all"),
            (("show", "x"), 2, 'did you mean "queue show"?'),
            (("hold",), 2, "either IDs"),
            (("--nonsense",), 2, "--help"),
            (("queue", "--limit", "10001"), 2, "1 to 10000")]:
        done = d.ctl(*words)
        expect_equal(done.returncode, status, (words, done))
        expect_in(said, done.stderr, words)
    for words in (("--help",), ("help",), ("--version",)):
        done = d.ctl(*words)
        expect_equal((done.returncode, done.stderr), (0, ""), words)
        expect_in("ringpostctl", done.stdout)
    d.stop()


def where_the_socket_is(rig):
    d = Daemon(rig, **ONCE)
    socket = d.settings["control"]["socket"]  # from the directory that both run in
    environment = os.environ | {"RINGPOST_SOCKET": socket}
    expect_equal(rig.run("ringpostctl", "status", env=environment).returncode, 0)
    environment["RINGPOST_SOCKET"] = "/nonexistent"
    for words in (("--socket", socket), ("--config", d.config)):
        expect_equal(rig.run("ringpostctl", "status", *words, env=environment).returncode, 0, words)
    expect_equal(rig.run("ringpostctl", "status", env=environment).returncode, 3)
    expect_equal(rig.run("ringpostctl", "status", "--config", "/nonexistent").returncode, 2)
    expect_equal(os.stat(d.socket).st_mode & 0o777, 0o600)
    d.stop()


def unreachable(rig):
    d = Daemon(rig)
    missing = rig.run("ringpostctl", "--socket", rig.path("none"), "status")
    expect_equal((missing.returncode, missing.stdout), (3, ""))
    expect_in("is ringpost running", missing.stderr)
    expect_equal(rig.run("ringpostctl", "--socket", "x" * 200, "status").returncode, 3)
    # Ended in order: the socket is gone.
    d.stop()
    expect(not os.path.exists(d.socket), "the socket is still there")
    # Killed: the socket is left, and the next start takes its place.
    d.start()
    d.kill()
    # The kernel takes a moment to close what a killed ring held.
    wait_until("the socket to be dead", lambda: "nobody listens there" in d.ctl("status").stderr)
    expect_equal(d.ctl("status").returncode, 3)
    d.start()
    expect_equal(d.ctl("status").returncode, 0)
    d.stop()


def stopping(rig):
    """While transactions end, the operator can look but not act."""
    d = Daemon(rig)
    with Client(d.port) as smtp:
        smtp.mail("a@example.org")
        client, idle = d.control(), d.control()
        d.process.send(signal.SIGTERM)
        wait_until("the end to begin", lambda: client.ask({"do": "status"})[0][0]["status"]["stopping"])
        expect_equal(client.ask({"do": "hold", "all": True})[1]["error"], "stopping")
        expect_equal(client.ask({"do": "reload"})[1]["error"], "stopping")
    expect_equal(d.process.wait(), 0, "exit status")
    expect_equal(idle.line(), None, "after the last line")
    client.close()
    idle.close()


if __name__ == "__main__":
    sys.exit(ringpost.main(status, destinations, many_destinations, metrics, reload, command_line, where_the_socket_is,
                           unreachable, stopping))
