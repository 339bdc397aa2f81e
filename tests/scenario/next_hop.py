# SPDX-License-Identifier: Apache-2.0
"""The next hop of a conversation, and what N lines say of it."""
import collections
import re

import sink
from ringpost import wait_until
from session import matches


def shown(octets):
    """A line of text as N lines write it."""
    text = octets.decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", lambda m: repr(m.group())[1:-1], text)


def lines_of(message):
    *lines, rest = message.text.split(b"\r\n")
    return message.commands + ["|" + shown(line) for line in lines] + (["|" + shown(rest) + "\\"] if rest else [])


def name_of(message):
    """What ringpost calls it: that stands in the first field."""
    found = re.match(rb"Received: [^;]* id ([^\s;]+)", message.text)
    return found.group(1).decode() if found else "?"


def fits(patterns, lines):
    """"..." stands for any number of lines, the fewest that will do."""
    at = line = 0
    dots = None  # the last "..." and the first line that it does not cover
    while line < len(lines) or at < len(patterns):
        if at < len(patterns) and patterns[at] == "...":
            dots = at, line
            at += 1
        elif at < len(patterns) and line < len(lines) and matches(patterns[at], lines[line]):
            at += 1
            line += 1
        elif dots and dots[1] < len(lines):
            dots = dots[0], dots[1] + 1
            at, line = dots[0] + 1, dots[1]
        else:
            return False
    return True


class NextHop(sink.Sink):
    """A sink whose messages can be claimed, each once.  says: {verb: what it replies instead of the usual}."""

    def __init__(self, rig, offers, says):
        super().__init__(rig, sink.OFFERS if offers is None else offers, lambda verb, rest: says.get(verb))
        self.claimed = set()  # places in messages

    def recipients(self):
        """{name of the message: how many recipients of it came}"""
        count = collections.Counter()
        for message in list(self.messages):
            count[name_of(message)] += len(message.recipients)
        return dict(count)

    def claim(self, patterns):
        """Waits for a message that nobody claimed and these patterns fit."""
        def found():
            for place, message in enumerate(list(self.messages)):
                if place not in self.claimed and fits(patterns, lines_of(message)):
                    self.claimed.add(place)
                    return True
            return False

        wait_until(lambda: "the next hop to get this; what it got:\n  " + "\n  ".join(self.unclaimed()), found)

    def unclaimed(self):
        return [line for place, message in enumerate(list(self.messages)) if place not in self.claimed
                for line in lines_of(message)[:40]]
