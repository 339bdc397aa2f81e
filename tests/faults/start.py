#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A start that cannot succeed says why, in words an operator can act on, and touches nothing."""
import os
import re
import socket
import sys

import client
import ringpost
import sink
from ringpost import expect, expect_equal

# Name: text of the file, line and column of the mistake, and a word that the message must have.
BAD_SETTINGS = {
    "unknown key": ("hostname: mx.example.org\nspool:\n  directory: spool\n  directroy: x\n", 4, 3, "directroy"),
    "a key that is nearly right": ("listn: 127.0.0.1:2525\n", 1, 1, "listen"),
    "not a number": ("cores: many\n", 1, 8, "cores"),
    "out of bounds": ("cores: 1000\n", 1, 8, "256"),
    "no unit": ("retry:\n  first: 300\n", 2, 10, "first"),
    "not YAML": ("listen: [127.0.0.1:2525\nhostname: x\n", None, None, ""),
    "a list where none is": ("hostname: [a, b]\n", 1, 11, "hostname"),
    "twice": ("cores: 1\ncores: 2\n", 2, 1, "cores"),
    "bad address": ("listen:\n  - 127.0.0.1:2525\n  - 300.1.1.1:25\n", 3, 5, "300.1.1.1"),
    "control path too long": ("control:\n  socket: /" + "x" * 107 + "\n", 2, 11, "socket"),
    "open relay": ("relay_networks: 0.0.0.0/0\n", 1, None, "relay"),
}


def settings_errors(rig):
    for name, (text, line, column, word) in BAD_SETTINGS.items():
        path = rig.path("bad.yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        said = set()
        for option in ("--check", "--config", "--settings"):
            run = rig.run("ringpost", option, path)
            expect_equal(run.returncode, 1, f"{name}, {option}: exit status; {run.stderr}")
            expect_equal(run.stdout, "", f"{name}, {option}: standard output")
            said.add(run.stderr)
        expect_equal(len(said), 1, f"{name}: different words {said}")
        place = re.match(r"ringpost: (\S+?):(\d+):(\d+): .*\n\Z", *said)
        expect(place and place.group(1) == path, f"{name}: no file, line and column in {said}")
        expect(line in (None, int(place.group(2))) and column in (None, int(place.group(3))),
               f"{name}: wrong place in {said}, wanted {line}:{column}")
        expect(word in place.group(0), f"{name}: no {word!r} in {said}")
    expect_equal(sorted(os.listdir(rig.directory)), ["bad.yaml"], "left behind")


def command_line(rig):
    for words in (["--nonsense"], ["file.yaml"], ["--check"]):
        run = rig.run("ringpost", *words)
        expect_equal(run.returncode, 2, f"exit status of {words}")
        expect(run.stderr, f"nothing said to {words}")
    run = rig.run("ringpost", "--config", "absent.yaml")
    expect_equal(run.returncode, 1, "exit status without the file")
    expect("absent.yaml" in run.stderr and "No such file" in run.stderr, f"it says {run.stderr}")


def expect_failure(mta, *words):
    """Its start fails, with these words."""
    mta.launch()
    expect_equal(mta.process.wait(), 1, f"exit status; {mta.process.err()}")
    for word in words:
        expect(word in mta.process.err(), f"no {word!r} in {mta.process.err()!r}")


def second_instance(rig):
    """On a spool that is in use, with settings of its own or the very same; the first does not notice."""
    hop = sink.Sink(rig)
    first = rig.ringpost("first", routes={"*": f"smtp:127.0.0.1:{hop.port}"}).start()
    expect_failure(rig.ringpost("second", spool={"directory": "first.spool"}), "another process is using this spool")
    again = rig.run("ringpost", "--config", first.config)
    expect_equal(again.returncode, 1, "exit status of the same once more")
    expect("another process listens there" in again.stderr, f"it says {again.stderr}")
    for n in range(20):  # also where the other one might have listened
        with client.Client(first.port) as c:
            reply = c.transaction("a@example.org", [f"b{n}@example.org"], b"Subject: x\r\n\r\n")
            expect_equal(reply[0], 250, "the first")
        hop.wait(f"b{n}@example.org")
    status = first.ctl("status")
    expect_equal(status.returncode, 0, f"exit status of ringpostctl; {status.stderr}")
    first.stop()
    expect_equal(first.waiting(), 0, "messages left")


def port_taken(rig):
    mta = rig.ringpost()
    with socket.create_server(("127.0.0.1", mta.port)):
        expect_failure(mta, f"127.0.0.1:{mta.port}", "Address already in use")
    mta.start()
    # Its cores share the endpoint with one another, and not with those of a stranger.
    expect_failure(rig.ringpost("second", listen=f"127.0.0.1:{mta.port}"), f"127.0.0.1:{mta.port}",
                   "another process listens there")
    mta.kill()
    mta.start()  # what the kernel remembers of old connections is in nobody's way
    mta.stop()


def paths(rig):
    """Directories that are not there, or no directories."""
    with open(rig.path("file"), "w", encoding="ascii"):
        pass
    expect_failure(rig.ringpost("log", log={"file": "absent/log"}), "absent/log", "No such file or directory")
    expect_failure(rig.ringpost("spool", spool={"directory": "file"}), "file", "Not a directory")


def control_socket(rig):
    expect_failure(rig.ringpost(control={"socket": "absent/sock"}), "absent/sock", "No such file or directory")


def control_socket_taken(rig):
    """A second instance with a spool and a port of its own does not take the first one's control socket away."""
    first = rig.ringpost("first").start()
    path = first.settings["control"]["socket"]
    expect_failure(rig.ringpost("second", control={"socket": path}), path, "another process listens there")
    status = first.ctl("status")
    expect("first.example.org" in status.stdout, f"ringpostctl hears {status.stdout}{status.stderr}")
    first.kill()
    first.start()  # what it left behind is nobody's
    first.stop()


def spool_not_ours(rig):
    """A spool that this user may not write."""
    if os.geteuid() == 0:
        raise ringpost.Skip("root may write everywhere")
    os.mkdir(rig.path("spool"), 0o500)
    expect_failure(rig.ringpost(spool={"directory": "spool"}), "Permission denied")


def privileged(rig):
    """As root it says so, once; as another user it does not."""
    mta = rig.ringpost().start()
    expect_equal(len(mta.log("privileged")), int(os.geteuid() == 0), "warnings")
    mta.stop()


def few_descriptors(rig):
    expect_few = rig.ringpost("few")
    expect_few.launch(prefix=["prlimit", "--nofile=200:200"])
    expect_equal(expect_few.process.wait(), 1, "exit status")
    expect("200 descriptors" in expect_few.process.err(), f"it says {expect_few.process.err()}")

    hop = sink.Sink(rig)
    mta = rig.ringpost(routes={"*": f"smtp:127.0.0.1:{hop.port}"}).start(prefix=["prlimit", "--nofile=700:700"])
    ceiling = mta.wait_log("descriptors-few")[0]["sessions_max"]
    sessions = [socket.create_connection(("127.0.0.1", mta.port), timeout=ringpost.PATIENCE_S) for _ in range(ceiling + 20)]
    heard = [s.recv(3) for s in sessions]
    # Which of them is too many is for the cores to say, which accept side by side.
    expect_equal((heard.count(b"220"), heard.count(b"421")), (ceiling, 20), "sessions served and refused")
    for s in sessions:
        s.close()
    ringpost.wait_until("a session to be free", lambda: ringpost.port_answers(mta.port))
    with client.Client(mta.port) as c:
        expect_equal(c.transaction("a@example.org", ["b@example.org"], b"Subject: x\r\n\r\n")[0], 250, "mail afterwards")
    hop.wait("b@example.org")
    mta.stop()


if __name__ == "__main__":
    sys.exit(ringpost.main(settings_errors, command_line, second_instance, port_taken, paths, control_socket,
                           control_socket_taken, spool_not_ours, privileged, few_descriptors))
