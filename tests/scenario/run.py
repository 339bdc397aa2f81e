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

Behind the last line nothing but the end of the connection may be heard.  When there is no "ledger: open", every message that was accepted was told so to its client, reached
the next hop once for each recipient, and nothing else did; ringpost ends in order when asked.  Waiting is for events, with
PATIENCE_S as its bound; nothing here measures time.
"""
import os
import re
import shutil
import sys
import tempfile

from conversation import Conversation, Mistake
from programs import NextHop, Ringpost
from session import Failure, Session, matches, wait_until


class Run:
    """One file, from an empty spool to an empty spool."""

    def __init__(self, conversation, directory):
        self.conversation = conversation
        self.told = []      # names under which messages were accepted, as clients heard
        self.transcript = []
        self.next_hop = NextHop(conversation.offers, conversation.next_hop_says)
        self.ringpost = Ringpost(directory, conversation.settings)

    def fail(self, step, why):
        raise Failure("%s:%d: %s" % (self.conversation.path, step.line if step else 0, why))

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
                        current = sessions[step.name] = Session(self.ringpost, step.name, step.source, self.transcript)
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
                    self.ringpost.wait_for_log(step.pattern)
                elif step.kind == "reload":
                    self.ringpost.reload(step.name, step.value)
                elif step.kind == "stop":
                    self.ringpost.stop()
                elif step.kind == "stopped":
                    self.ringpost.wait_for_end()
                elif step.kind == "next hop" and cut is None:
                    self.next_hop.claim(step.patterns)
            except Failure as e:
                self.fail(step, e)
        for s in sessions.values():
            try:
                s.end()
            except Failure as e:
                self.fail(None, "session %s, behind the last line: %s" % (s.name, e))
        return heard

    def hear(self, session, step, heard):
        if step.closed:
            session.hear_end()
            heard.append("(closed)")
            return
        for pattern in step.patterns:
            line = session.hear_reply(pattern) if step.whole else session.hear_line()
            if not step.whole and not matches(pattern, line):
                raise Failure("heard   %s\n  instead of %s" % (line, pattern))
            name = re.search(r"queued as (\S+)$", line)
            if name:
                self.told.append(name.group(1))
            heard.append(re.sub(r"queued as \S+$", "queued as *", line))

    def hold_cut(self):
        """Every place where a packet can be cut; the conversation as it stands was held before."""
        whole = self.hold()
        again = [s.patterns for s in self.conversation.steps if s.kind == "next hop"]
        bursts = [len(s.octets) for s in self.conversation.steps if s.kind == "send"]
        for cut in ["octets"] + [(b, at) for b, octets in enumerate(bursts) for at in range(1, octets)]:
            heard = self.hold(cut)
            if heard != whole:
                self.fail(None, "cut at %s the replies are\n  %s\n  and whole\n  %s"
                          % (cut, "\n  ".join(heard), "\n  ".join(whole)))
            for patterns in again:
                self.next_hop.claim(patterns)

    # --- the account

    def balance(self):
        """P1 and P2, from what clients, the log and the next hop say."""
        wait_until(lambda: sorted(self.told) == sorted(self.ringpost.accepted()),
                   lambda: "clients were told of %s, accepted were %s"
                   % (sorted(self.told), sorted(self.ringpost.accepted())))
        accepted = self.ringpost.accepted()
        wait_until(lambda: self.next_hop.recipients() == accepted,
                   lambda: "the next hop got %s, accepted were %s" % (self.next_hop.recipients(), accepted))

    def end(self):
        if not self.conversation.ledger_open:
            self.balance()
        if self.ringpost.running():
            self.ringpost.stop()
            self.ringpost.wait_for_end()
        if not self.conversation.ledger_open and self.next_hop.recipients() != self.ringpost.accepted():
            raise Failure("the next hop got more than was accepted")
        if any(s.kind == "next hop" for s in self.conversation.steps) and self.next_hop.unclaimed():
            raise Failure("the next hop also got\n  " + "\n  ".join(self.next_hop.unclaimed()))

    def go(self):
        try:
            self.ringpost.start(self.next_hop.address())
            if self.conversation.cut:
                self.hold_cut()
            else:
                self.hold()
            self.end()
        finally:
            self.ringpost.kill()
            self.next_hop.close()


def run(path):
    """True: all went as the file says."""
    try:
        conversation = Conversation(path)
    except Mistake as e:
        print(e)
        return False
    directory = tempfile.mkdtemp(prefix="scenario-", dir=os.environ.get("RINGPOST_BUILD_DIR"))
    this = Run(conversation, directory)
    try:
        this.go()
    except Failure as e:
        print("%s\n--- said and heard\n%s\n--- log\n%s\nkept: %s"
              % (e, "\n".join(this.transcript), this.ringpost.last_log(), directory))
        return False
    shutil.rmtree(directory)
    return True


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    return 0 if all([run(path) for path in sys.argv[1:]]) else 1


if __name__ == "__main__":
    sys.exit(main())
