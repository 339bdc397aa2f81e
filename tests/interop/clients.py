#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that people use: swaks, and smtplib as programs call it."""
import email.message
import email.policy
import os
import shutil
import smtplib
import socket
import sys

import ringpost
import sink
from ringpost import expect, expect_equal, wait_until

# swaks' own, for no recipient taken.
SWAKS_NO_RECIPIENT = 24


def server(rig, **settings):
    """A ringpost that takes mail for example.org only, and the sink it goes to."""
    hop = sink.Sink(rig)
    mta = rig.ringpost(relay_networks=["192.0.2.0/24"], accept_domains=["example.org", "bücher.example"],
                       routes={"*": f"smtp:127.0.0.1:{hop.port}"}, **settings)
    return mta.start(), hop


def swaks(rig, mta, *words):
    if not shutil.which("swaks"):
        raise ringpost.Skip("no swaks")
    run = rig.process("swaks", ["swaks", "--server", f"127.0.0.1:{mta.port}", "--helo", "client.example.org",
                                "--from", "me@example.net", *words])
    return run.wait(), run


def swaks_ways(rig):
    mta, hop = server(rig)
    for number, words in enumerate(([], ["--pipeline"], ["--protocol", "SMTP"], ["--attach", "@" + mta.config],
                                    ["--add-header", "X-Dots: yes", "--body", ".\\n..\\nend"])):
        to = f"you{number}@example.org"
        status, run = swaks(rig, mta, "--to", to, *words)
        expect_equal(status, 0, f"exit status of swaks {words}:\n{run.out()}")
        came = hop.wait(to)[0]
        expect_equal(came.sender, "me@example.net", "sender")
        expect(f"for <{to}>".encode() in came.text.partition(b"\r\n\r\n")[0], f"no trace of the recipient: {came.text}")
    expect(b"\r\n.\r\n..\r\nend" in came.text, f"dots altered: {came.text}")
    mta.stop()


def swaks_refused(rig):
    mta, hop = server(rig)
    status, run = swaks(rig, mta, "--to", "you@elsewhere.example.com")
    expect_equal(status, SWAKS_NO_RECIPIENT, f"exit status of swaks:\n{run.out()}")
    expect("550 5.7.1" in run.out(), f"no 550 5.7.1:\n{run.out()}")
    status, run = swaks(rig, mta, "--to", "you@elsewhere.example.com,you@example.org")
    expect_equal(status, 0, f"exit status of swaks with one good recipient:\n{run.out()}")
    expect_equal(hop.wait("you@example.org")[0].recipients, ["you@example.org"], "recipients")
    mta.stop()


def smtplib_sendmail(rig):
    mta, hop = server(rig)
    with smtplib.SMTP("127.0.0.1", mta.port) as s:
        refused = s.sendmail("me@example.net", ["a@example.org", "b@elsewhere.example.com", "c@example.org"],
                             "Subject: three\n\n.\nbody\n")
        expect_equal({to: code for to, (code, _) in refused.items()}, {"b@elsewhere.example.com": 550}, "refused")
        came = hop.wait("a@example.org")[0]
        expect_equal(came.recipients, ["a@example.org", "c@example.org"], "recipients")
        expect(came.text.endswith(b"Subject: three\r\n\r\n.\r\nbody\r\n"), f"altered: {came.text}")
        try:
            s.sendmail("me@example.net", ["b@elsewhere.example.com"], "Subject: none\n\nbody\n")
            raise AssertionError("all refused, and no error")
        except smtplib.SMTPRecipientsRefused:
            pass
        s.sendmail("", ["empty@example.org"], "Subject: report\n\n")
        expect_equal(hop.wait("empty@example.org")[0].sender, "", "null reverse-path")
        expect_equal(s.verify("a@example.org")[0], 252, "VRFY")
        expect_equal(s.noop()[0], 250, "NOOP")
    mta.stop()


def smtplib_utf8(rig):
    """SMTPUTF8 (RFC 6531): addresses in any script, kept as they are, the domain found by its other form."""
    mta, hop = server(rig)
    message = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
    message["From"], message["To"], message["Subject"] = "jörg@example.net", "grüße@bücher.example", "Übung"
    message.set_content("schön\n")
    with smtplib.SMTP("127.0.0.1", mta.port) as s:
        s.send_message(message)
    came = hop.wait("grüße@bücher.example")[0]
    expect("SMTPUTF8" in came.sender_options, f"options of MAIL: {came.sender_options}")
    expect("Übung".encode() in came.text, f"altered: {came.text}")
    mta.stop()


def ipv6_both_ways(rig):
    """A client and a next hop of the other family: may it relay, how is it named, is it reached."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        raise ringpost.Skip(f"no IPv6 here: {error}") from None
    port, store = rig.port(), rig.path("texts")
    os.mkdir(store)
    rig.bench("sink", "--listen", f"[::1]:{port}", "--ledger", rig.path("received"), "--store", store, name="sink6")
    wait_until("the sink to listen", lambda: ringpost.port_answers(port, address="::1"))
    mta = rig.ringpost(routes={"*": f"smtp:[::1]:{port}"}, relay_networks=["2001:db8::/32"], accept_domains=["example.org"])
    mta.configure({"listen": [f"127.0.0.1:{mta.port}", f"[::1]:{mta.port}"]})
    mta.start()
    with smtplib.SMTP("::1", mta.port) as s:
        expect_equal(s.sendmail("me@example.net", ["a@example.org", "b@elsewhere.example.com"],
                                "Subject: six\n\nbody\n")["b@elsewhere.example.com"][0], 550, "relaying from outside")
    delivered = mta.wait_log("delivered")[0]
    expect_equal(delivered["peer"], f"[::1]:{port}", "peer")
    client = mta.wait_log("accepted")[0]["client"]
    expect(client.startswith("[::1]:"), f"client is {client}")
    [name] = os.listdir(store)
    with open(os.path.join(store, name), "rb") as file:
        expect(b"[IPv6:::1]" in file.read().partition(b"\r\n\r\n")[0], "the trace does not name the client (RFC 5321 4.1.3)")
    mta.configure({"relay_networks": ["::1/128"]})
    mta.reload()
    mta.wait_log("reloaded", 2)
    with smtplib.SMTP("::1", mta.port) as s:
        expect_equal(s.sendmail("me@example.net", ["b@elsewhere.example.com"], "Subject: six\n\nbody\n"), {}, "refused")
    mta.wait_log("delivered", 2)
    mta.stop()


def restart_between(rig):
    """Taken while the next hop is away, delivered by the next run when it is back."""
    hop = sink.Sink(rig)
    away = True
    hop.answer = lambda verb, rest: "451 4.3.0 away" if away and verb == "MAIL" else None
    mta = rig.ringpost(routes={"*": f"smtp:127.0.0.1:{hop.port}"}, retry={"first": "1 s", "max": "1 s"}).start()
    with smtplib.SMTP("127.0.0.1", mta.port) as s:
        s.sendmail("me@example.net", ["a@example.org"], "Subject: wait\n\nbody\n")
    mta.wait_log("deferred")
    mta.stop()
    away = False
    mta.start()
    expect(hop.wait("a@example.org")[0].text.endswith(b"Subject: wait\r\n\r\nbody\r\n"), "altered")
    mta.wait_log("delivered")
    mta.stop()
    expect_equal(mta.waiting(), 0, "messages left")


if __name__ == "__main__":
    sys.exit(ringpost.main(swaks_ways, swaks_refused, smtplib_sendmail, smtplib_utf8, ipv6_both_ways, restart_between))
