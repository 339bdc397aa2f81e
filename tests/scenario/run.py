#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs conversations against the real ringpost: what a client says, what it must hear, what the next hop then gets.

    run.py FILE...

A file is read from top to bottom.  Each line is one of

    # text                  a remark
    set NAME: VALUE         a setting, as docs/settings.md has it; before all else
    next hop offers: WORDS  the extensions of the next hop, in place of all it knows
    next hop says: VERB REPLY
    ledger: open            clients are not told of all that is accepted, or the next hop does not take it
    cut: everywhere         see below
    session NAME            the session that the following lines are about, begun when it is new
    session NAME from ADDR  the same, from another address of this machine
    C: text                 the client sends this line
    B: octets               the client sends these octets: \\r \\n \\0 \\t \\\\ \\xHH
    C: (half-closes), (hangs up), (resets)
    flush                   the server has read what was said so far
    S: pattern              the client hears this line; * stands for any text
    S: (closed)             the client hears the end of the connection
    S+: code                the client hears a whole reply, of however many lines, with this code
    N: pattern              the next hop gets this: MAIL, RCPT, then each line of text behind a |, which ends in \\ when
                            no CRLF ends it; "..." is any number of lines
    L: pattern              the log has a line that contains this
    reload NAME: VALUE      a setting is changed while ringpost runs (SIGHUP), and all cores have it
    stop                    ringpost is asked to end (SIGTERM)
    stopped                 it has ended, in order

"C*100: text", "B*100:" and "S*100:" stand for a hundred such lines, with the number in place of %d.  What a client says
between two lines of another kind leaves in one packet.  Clients come from 127.0.0.1, which may relay; 127.0.0.9, say, may
not, and mail for ours.test and what is below sub.ours.test is taken from everybody.

A conversation with "cut: everywhere" is held once as it stands, once octet by octet, and then once for each place where a
packet can be cut in two; the replies must be the same each time.

Behind the last line nothing but the end of the connection may be heard.  When there is no "ledger: open", every message
that was accepted was told so to its client, reached the next hop once for each recipient, and nothing else did; ringpost
ends in order when asked.
"""
import json
import os
import re
import signal
import sys

import ringpost
from conversation import Conversation
from next_hop import NextHop
from ringpost import expect, expect_equal, wait_until
from session import Session, matches


def nested(name, text):
    """A setting as ringpost.configure() wants it: "spool.inline_max", "64 KiB"."""
    try:
        value = json.loads(text)  # numbers and lists; the rest is text
    except ValueError:
        value = text
    for word in reversed(name.split(".")):
        value = {word: value}
    return value


class Run:
    """One file, from an empty spool to an empty spool."""

    def __init__(self, path, rig):
        self.conversation = Conversation(path)
        self.told = []      # names under which messages were accepted, as clients heard
        self.transcript = []
        self.next_hop = NextHop(rig, self.conversation.offers, self.conversation.next_hop_says)
        self.mta = rig.ringpost(
            hostname="mx.test", relay_networks=["127.0.0.1/32"], accept_domains=["ours.test", ".sub.ours.test"],
            routes={"*": f"smtp:127.0.0.1:{self.next_hop.port}"}, spool={"segment_size": "8 MiB"}, log={"format": "logfmt"})
        for name, text in self.conversation.settings.items():
            self.mta.configure(nested(name, text))

    def fail(self, step, why):
        raise AssertionError(f"{self.conversation.path}:{step.line if step else 0}: {why}") from None

    # --- one holding of the conversation

    def hold(self, cut=None):
        """cut: None, "octets", or (burst, place).  Returns what clients heard, without names of messages."""
        sessions, current, heard, burst = {}, None, [], 0
        self.transcript = []
        for step in self.conversation.steps:
            try:
                if step.kind == "session":
                    current = sessions.get(step.name)
                    if current is None:
                        current = sessions[step.name] = Session(self.mta.port, step.name, step.source, self.transcript)
                elif step.kind == "send":
                    where = "octets" if cut == "octets" else cut[1] if cut and cut[0] == burst else None
                    current.send(step.octets, where)
                    burst += 1
                elif step.kind == "flush":
                    current.let_it_read()
                elif step.kind == "act":
                    getattr(current, step.name)()
                elif step.kind == "hear":
                    self.hear(current, step, heard)
                elif step.kind == "log":
                    self.mta.await_(lambda: self.logged(step.pattern), f"to log {step.pattern}")
                elif step.kind == "reload":
                    self.reload(step.name, step.value)
                elif step.kind == "stop":
                    self.mta.process.send(signal.SIGTERM)
                elif step.kind == "stopped":
                    expect_equal(self.mta.process.wait(), 0, "exit status")
                elif step.kind == "next hop" and cut is None:
                    self.next_hop.claim(step.patterns)
            except AssertionError as e:
                self.fail(step, e)
        for s in sessions.values():
            try:
                s.end()
            except AssertionError as e:
                self.fail(None, f"session {s.name}, behind the last line: {e}")
        return heard

    def hear(self, session, step, heard):
        if step.closed:
            session.hear_end()
            heard.append("(closed)")
            return
        for pattern in step.patterns:
            line = session.hear_reply(pattern) if step.whole else session.hear_line()
            expect(step.whole or matches(pattern, line), f"heard   {line}\n  instead of {pattern}")
            name = re.search(r"queued as (\S+)$", line)
            if name:
                self.told.append(name.group(1))
            heard.append(re.sub(r"queued as \S+$", "queued as *", line))

    def logged(self, pattern):
        return any(matches(f"*{pattern}*", line + " ") for line in self.mta.log_lines())

    def reload(self, name, text):
        """All cores have it."""
        count = len(self.mta.log("reloaded")) + self.mta.settings["cores"]
        self.mta.configure(nested(name, text))
        self.mta.reload()
        self.mta.wait_log("reloaded", count)

    def hold_cut(self):
        """Every place where a packet can be cut; the conversation as it stands was held before."""
        whole = self.hold()
        again = [s.patterns for s in self.conversation.steps if s.kind == "next hop"]
        bursts = [len(s.octets) for s in self.conversation.steps if s.kind == "send"]
        for cut in ["octets"] + [(b, at) for b, octets in enumerate(bursts) for at in range(1, octets)]:
            heard = self.hold(cut)
            if heard != whole:
                self.fail(None, "\n  ".join([f"cut at {cut} the replies are", *heard, "and whole", *whole]))
            for patterns in again:
                self.next_hop.claim(patterns)

    # --- the account

    def accepted(self):
        """{name of the message: number of its recipients}, as the log has it."""
        return {line["id"]: int(line["recipients"]) for line in self.mta.log("accepted")}

    def balance(self):
        """P1 and P2, from what clients, the log and the next hop say."""
        wait_until(lambda: f"clients, who were told of {sorted(self.told)}; accepted were {sorted(self.accepted())}",
                   lambda: sorted(self.told) == sorted(self.accepted()))
        accepted = self.accepted()
        wait_until(lambda: f"the next hop, which got {self.next_hop.recipients()}; accepted were {accepted}",
                   lambda: self.next_hop.recipients() == accepted)

    def end(self):
        if not self.conversation.ledger_open:
            self.balance()
        if self.mta.process.running():
            self.mta.stop()
        if not self.conversation.ledger_open:
            expect_equal(self.next_hop.recipients(), self.accepted(), "the next hop got more than was accepted")
        if any(s.kind == "next hop" for s in self.conversation.steps):
            expect(not self.next_hop.unclaimed(), "the next hop also got\n  " + "\n  ".join(self.next_hop.unclaimed()))

    def go(self):
        self.mta.start()
        try:
            if self.conversation.cut:
                self.hold_cut()
            else:
                self.hold()
            self.end()
        except AssertionError:
            print("--- said and heard\n" + "\n".join(self.transcript))
            raise


def case(path):
    """Its name and what it does."""
    folder, name = os.path.abspath(path).removesuffix(".txt").split("/")[-2:]
    return f"scenario.{folder}.{name}", lambda rig: Run(path, rig).go()


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    return ringpost.run_all(dict(map(case, sys.argv[1:])))


if __name__ == "__main__":
    sys.exit(main())
