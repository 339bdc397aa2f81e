#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Delivery by MX (RFC 5321 section 5.1): what name servers say decides where mail goes, whether it waits, and who hears of it.

The name server is the tests' own.  Next hops share outbound.port, each at an address of its own.
"""
import sys

import client
import ringpost
import sink
from nameserver import NameServer
from ringpost import expect, expect_equal, expect_in, wait_until

SENDER = "a@sender.example.org"


class Net:
    """A ringpost, the name server it asks, and next hops at some addresses; elsewhere nobody listens."""

    def __init__(self, rig, zone, *addresses, **settings):
        self.dns = NameServer(zone).start()
        rig.at_end.append(self.dns.stop)
        port = rig.port()
        self.hops = {address: sink.Sink(rig, address=address, port=port) for address in addresses}
        self.reports = sink.Sink(rig)
        self.mta = rig.ringpost(
            routes={"sender.example.org": f"smtp:127.0.0.1:{self.reports.port}"}, outbound={"port": port, "down_pause": "1 s"},
            retry={"first": "1 s", "max": "1 s"}, dns={"servers": [f"127.0.0.1:{self.dns.port}"]})
        self.mta.configure(settings)
        self.mta.start()

    def send(self, *recipients):
        with client.Client(self.mta.port) as c:
            for to in recipients:
                expect_equal(c.transaction(SENDER, [to], b"Subject: x\r\n\r\nbody\r\n")[0], 250, f"mail to {to}")

    def expect_at(self, address, recipient):
        """It arrived there and nowhere else; what the log says of it."""
        expect_equal(len(self.hops[address].wait(recipient)), 1, f"copies at {address}")
        for other, hop in self.hops.items():
            expect(other == address or not hop.to(recipient), f"{recipient}: also at {other}")
        line = self.mta.wait_log("delivered", to=recipient)[0]
        expect_in(address, line["peer"], f"where the log says {recipient} went")
        return line

    def end(self):
        """In order, with nothing left."""
        self.mta.stop()
        expect_equal(self.mta.waiting(), 0, "messages left")


def preference(rig):
    """Of two hosts the one with the lower number, in whatever order they are told."""
    net = Net(rig, {"one.example": {"MX": ["20 mx2.example", "10 mx1.example"]},
                    "two.example": {"MX": ["5 mx1.example", "9 mx2.example"]},
                    "mx1.example": {"A": ["127.0.0.2"]}, "mx2.example": {"A": ["127.0.0.3"]}}, "127.0.0.2", "127.0.0.3")
    recipients = [f"b{n}@{domain}.example" for domain in ("one", "two") for n in range(5)]
    net.send(*recipients)
    for to in recipients:
        expect_equal(net.expect_at("127.0.0.2", to)["host"], "mx1.example", "host")
    net.end()


def first_refuses(rig):
    """Where nobody listens at the first, mail goes to the second, at once."""
    net = Net(rig, {"one.example": {"MX": ["10 mx1.example", "20 mx2.example"]},
                    "mx1.example": {"A": ["127.0.0.2"]}, "mx2.example": {"A": ["127.0.0.3"]}}, "127.0.0.3")
    net.send("b@one.example")
    expect_equal(net.expect_at("127.0.0.3", "b@one.example")["host"], "mx2.example", "host")
    expect_equal(net.dns.count("mx1.example", "A"), 1, "questions for the address of the first")
    expect_equal(net.mta.log("deferred"), [], "deferrals")
    net.end()


def implicit(rig):
    """A domain without MX is its own host (RFC 5321 section 5.1); an alias leads on."""
    net = Net(rig, {"one.example": {"A": ["127.0.0.2"]}, "alias.example": {"CNAME": ["one.example"]}}, "127.0.0.2")
    net.send("b@one.example", "b@alias.example")
    net.expect_at("127.0.0.2", "b@one.example")
    net.expect_at("127.0.0.2", "b@alias.example")
    expect(net.dns.count("one.example", "MX"), "nobody asked for its MX")
    net.end()


# Domain: the status that its mail comes back with.
HOPELESS = {
    "null.example": "5.1.10",     # RFC 7505: it takes no mail
    "absent.example": "5.1.2",    # no such domain
    "nohost.example": "5.1.2",    # there, with neither MX nor address
    "dangling.example": "5.4.4",  # its MX names a host that is not there
}


def bounced(rig):
    """What can never be delivered comes back at once."""
    net = Net(rig, {"null.example": {"MX": ["0 ."], "A": ["127.0.0.2"]}, "nohost.example": {"TXT": ["x"]},
                    "dangling.example": {"MX": ["10 absent.example"], "A": ["127.0.0.2"]}}, "127.0.0.2")
    net.send(*(f"b@{domain}" for domain in HOPELESS))
    reports = b"".join(message.text for message in net.reports.wait(SENDER, len(HOPELESS)))
    for domain, status in HOPELESS.items():
        expect_equal(net.mta.wait_log("bounced", to=f"b@{domain}")[0]["status"], status, domain)
        about = reports.partition(f"Final-Recipient: rfc822; b@{domain}".encode())[2].partition(b"\r\n\r\n")[0]
        expect_in(f"Status: {status}\r\n".encode(), about + b"\r\n", f"report about {domain}")
    expect_equal(net.hops["127.0.0.2"].messages, [], "messages at a host that is not asked for")
    expect_equal(net.mta.log("deferred"), [], "deferrals")
    net.end()


def server_fails(rig):
    """A name server in trouble says nothing about the domain: mail waits until it knows better."""
    zone = {"one.example": {"does": ["servfail"]}, "two.example": {"does": ["refused"]}}
    net = Net(rig, zone, "127.0.0.2")
    net.send("b@one.example", "b@two.example")
    for to in ("b@one.example", "b@two.example"):
        expect_equal(net.mta.wait_log("deferred", to=to)[0]["status"], "4.4.3", to)
    zone["one.example"] = zone["two.example"] = {"A": ["127.0.0.2"]}
    net.expect_at("127.0.0.2", "b@one.example")
    net.expect_at("127.0.0.2", "b@two.example")
    expect_equal(net.mta.log("bounced"), [], "bounces")
    net.end()


def truncated(rig):
    """What UDP cannot hold is asked for by TCP: because the server says so, and because there is that much."""
    hosts = {f"mx{n}.a-long-name-for-a-host.many.example": {"A": ["127.0.0.3"]} for n in range(60)}
    net = Net(rig, {"one.example": {"MX": ["10 mx.example"], "does": ["truncate"]}, "mx.example": {"A": ["127.0.0.2"]},
                    "many.example": {"MX": [f"{20 + n} {host}" for n, host in enumerate(hosts)] + ["10 mx.example"]}, **hosts},
              "127.0.0.2", "127.0.0.3")
    net.send("b@one.example", "b@many.example")
    for domain in ("one.example", "many.example"):
        net.expect_at("127.0.0.2", f"b@{domain}")
        for by in ("udp", "tcp"):
            expect(net.dns.count(domain, "MX", by), f"{domain}: not asked by {by}")
    net.end()


def later_the_right_one(rig):
    """The answer counts that comes behind a false one, or when the question is asked in the old form."""
    deeds = ("forged", "old")
    net = Net(rig, {f"{deed}.example": {"A": ["127.0.0.2"], "does": [deed]} for deed in deeds}, "127.0.0.2")
    net.send(*(f"b@{deed}.example" for deed in deeds))
    for deed in deeds:
        net.expect_at("127.0.0.2", f"b@{deed}.example")
    expect_equal(net.mta.log("deferred"), [], "deferrals")
    net.end()


def no_answers(rig):
    """What does not answer the question decides nothing: another id, octets that are no message, a connection that ends."""
    deeds = ("wrong-id", "garbage", "hang-up")
    zone = {f"{deed}.example": {"A": ["127.0.0.2"], "does": [deed]} for deed in deeds}
    net = Net(rig, zone, "127.0.0.2", dns={"timeout": "100 ms", "tries": 2})
    net.send(*(f"b@{domain}" for domain in zone))
    for domain in zone:
        expect_equal(net.mta.wait_log("deferred", to=f"b@{domain}")[0]["status"], "4.4.3", domain)
        zone[domain] = {"A": ["127.0.0.2"]}
    for domain in zone:
        net.expect_at("127.0.0.2", f"b@{domain}")
    net.end()


def silent(rig):
    """A question without an answer is asked again; mail is not put off meanwhile."""
    net = Net(rig, {"one.example": {"A": ["127.0.0.2"]}}, "127.0.0.2", dns={"timeout": "1 s", "tries": 20})
    net.dns.does = ["drop"]
    net.send("b@one.example")
    wait_until("the question to come again", lambda: net.dns.count("one.example") >= 2)
    net.dns.does = []
    net.expect_at("127.0.0.2", "b@one.example")
    expect_equal(net.mta.log("deferred"), [], "deferrals")
    net.end()


def silent_for_long(rig):
    """In the end the attempt is given up, and the next one finds the server back."""
    net = Net(rig, {"one.example": {"A": ["127.0.0.2"]}}, "127.0.0.2", dns={"timeout": "100 ms", "tries": 2})
    net.dns.does = ["drop"]
    net.send("b@one.example")
    expect_equal(net.mta.wait_log("deferred")[0]["status"], "4.4.3", "status")
    net.dns.does = []
    net.expect_at("127.0.0.2", "b@one.example")
    net.end()


if __name__ == "__main__":
    sys.exit(ringpost.main(preference, first_refuses, implicit, bounced, server_fails, truncated, later_the_right_one,
                           no_answers, silent, silent_for_long))
