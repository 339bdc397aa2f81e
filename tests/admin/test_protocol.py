#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The control socket as programs meet it: what it answers to nonsense, and that it outlives those who send it."""
import json
import socket
import sys

import ringpost
from daemon import NOBODY, Daemon
from ringpost import expect, expect_equal, expect_in, wait_until


def begin(rig):
    d = Daemon(rig)
    return d, d.control()


def end(d, client):
    """It still works, and ends in order."""
    expect_in("status", client.ask({"do": "status"})[0][0])
    client.close()
    d.stop()


def hello(rig):
    d, client = begin(rig)
    expect_equal(client.hello["hello"]["protocol"], 1)
    expect_equal(client.hello["hello"]["name"], "ringpost")
    end(d, client)


def wrong_requests(rig):
    """Each is an error that says why, and the connection goes on."""
    d, client = begin(rig)
    for request in [
            b"status\n", b"{\n", b"[]\n", b'"status"\n', b"{}\n", b'{"do": 1}\n', b'{"do": null}\n',
            b'{"do": "status"} {"do": "status"}\n', b"{'do': 'status'}\n", b'{"do": "status",}\n', b"\0\n",
            b'{"do": "status\xff"}\n', b'{"do": "st\\u0000atus"}\n', b'{"do": "status", "do": "reload"}\n',
            b"[" * 60000 + b"\n", b'{"do": ' + b'{"do": ' * 7000 + b"\n", b"{" * 3000 + b"}" * 3000 + b"\n",
            {"do": "nonsense"}, {"do": "STATUS"}, {"do": ["status"]}, {"do": "status", "limit": 1},
            {"do": "list", "limit": -1}, {"do": "list", "limit": 1.5}, {"do": "list", "limit": "3"},
            {"do": "list", "limit": 10 ** 18}, {"do": "list", "limit": 10001}, {"do": "list", "domian": "x.example"},
            {"do": "list", "domain": ""}, {"do": "list", "domain": 5}, {"do": "list", "domain": "a b"},
            {"do": "list", "domain": "x" * 1000}, {"do": "list", "from": "a@" + "x" * 2000}, {"do": "list", "from": []},
            {"do": "list", "from": "@a b"}, {"do": "list", "state": "x"}, {"do": "list", "state": None},
            {"do": "list", "ids": [NOBODY]}, {"do": "show"}, {"do": "show", "id": "short"}, {"do": "show", "id": [NOBODY]},
            {"do": "show", "id": "u" * 26}, {"do": "show", "id": NOBODY, "limit": 1}, {"do": "delete"},
            {"do": "delete", "all": False}, {"do": "delete", "all": 1}, {"do": "delete", "ids": []},
            {"do": "delete", "ids": NOBODY}, {"do": "delete", "ids": [1]}, {"do": "delete", "ids": [NOBODY, ""]},
            {"do": "delete", "ids": [NOBODY], "all": True}, {"do": "delete", "all": True, "domain": "x.example"},
            {"do": "delete", "domain": "*"}, {"do": "delete", "state": "any"}]:
        lines, last = client.ask(request)
        expect_equal(lines, [], request)
        expect_equal(last["error"], "bad-request", (request, last))
        expect(len(last["why"]) > 10, (request, last))
    end(d, client)


def unknown_id(rig):
    d, client = begin(rig)
    expect_equal(client.ask({"do": "show", "id": NOBODY})[1]["error"], "unknown")
    lines, last = client.ask({"do": "hold", "ids": [NOBODY]})
    expect_equal(lines, [{"unknown": {"id": NOBODY}}])
    expect_equal(last, {"end": {"done": 0, "unknown": 1, "failed": 0}})
    end(d, client)


def too_long(rig):
    d, client = begin(rig)
    for tail in (b"\n", b""):
        other = d.control()
        other.send(b'{"do": "' + b"x" * 70000 + tail)
        expect_equal(other.reply()[1]["error"], "too-long")
        expect_equal(other.line(), None, "after the last line")
        other.close()
    # The longest that fits is read.
    client.send(b'{"do": "status"' + b" " * (65535 - 16) + b"}\n")
    expect_in("status", client.reply()[0][0])
    end(d, client)


def cut_anywhere(rig):
    d, client = begin(rig)
    request = json.dumps({"do": "hold", "ids": [NOBODY]}).encode() + b"\r\n\n"
    for octet in request:
        client.send(bytes([octet]))
    expect_equal(client.reply()[1]["end"]["unknown"], 1)
    end(d, client)


def pipelined(rig):
    """Asked at once, answered in order; a client that has finished asking still hears the answers."""
    d, client = begin(rig)
    count = 3000
    for n in range(count):
        if n % 3 == 2:
            client.send(b"nonsense\n")
        else:
            client.send({"do": "show" if n % 3 else "hold", **({"id": NOBODY} if n % 3 else {"ids": [NOBODY]})})
        if n % 500 == 499:  # else both sides would wait for the other to read
            for m in range(n - 499, n + 1):
                last = client.reply()[1]
                expect_equal("end" in last, m % 3 == 0, last)
    for _ in range(20):
        client.send({"do": "status"})
    client.send(b'{"do": "stat')
    client.socket.shutdown(socket.SHUT_WR)
    for _ in range(20):
        expect_equal(client.reply()[1], {"end": {}})
    expect_equal(client.line(), None, "after the last line")
    client.close()
    d.stop()


def gone_before_the_answer(rig):
    """They leave room for others at once, and not when somebody has lost patience with them."""
    d, client = begin(rig)

    def counted(name):
        lines, _ = client.ask({"do": "metrics"})
        return next(line["metric"]["values"][0] for line in lines if line["metric"]["name"] == name)

    late = counted("admin_too_late_total")
    for request in ({"do": "status"}, {"do": "metrics"}, {"do": "reload"}, {"do": "list", "limit": 0},
                    {"do": "hold", "all": True}, b"nonsense\n", b'{"do": "sta'):
        for _ in range(5):
            other = d.control()
            other.send(request)
            other.close()
        wait_until("them to be forgotten", lambda: counted("admin_connections") == 1)
    expect_equal(counted("admin_too_late_total"), late)
    end(d, client)


def too_many(rig):
    """Beyond what it takes clients are told so, and there is room again when others leave."""
    d, client = begin(rig)
    clients = []

    def refused():
        done = d.ctl("status")
        if done.returncode == 0:
            clients.append(d.control())
        return done if done.returncode else None

    done = wait_until("a refusal", refused)
    expect(len(clients) >= 20, f"only {len(clients)} were let in")
    expect_equal(done.returncode, 3)
    expect_in("too many connections", done.stderr)
    for other in clients:
        other.close()
    wait_until("room", lambda: d.ctl("status").returncode == 0)
    end(d, client)


if __name__ == "__main__":
    sys.exit(ringpost.main(hello, wrong_requests, unknown_id, too_long, cut_anywhere, pipelined, gone_before_the_answer,
                           too_many))
