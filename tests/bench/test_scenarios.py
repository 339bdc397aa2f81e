#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scenario files: what is taken, what is refused with file, line and key, and that every built-in one is sound."""
import sys

import laboratory  # noqa: F401
import ringpost
from lab import scenario, target
from lab.scenario import Option, ScenarioError
from ringpost import expect, expect_equal, expect_in

OPTIONS = {
    "send": {name: Option(name, value, words) for name, value, words in (
        ("to", "ADDRESS:PORT", ()), ("sessions", "N", ()), ("messages", "N", ()), ("seconds", "S", ()), ("rate", "R", ()), ("ramp", "S", ()),
        ("messages-per-session", "K", ()), ("size", "OCTETS", ()), ("rcpt", "PATTERN", ()), ("bdat", "", ()),
        ("pipelining", "HOW", ("offered", "off", "overlap")), ("json", "", ()), ("ledger", "FILE", ()))},
    "sink": {name: Option(name, value, words) for name, value, words in (
        ("listen", "ADDRESS:PORT", ()), ("cores", "N", ()), ("refuse-rcpt", "CODE:PERCENT", ()),
        ("close-at", "WHERE:PERCENT", ("mail", "rcpt")), ("no-pipelining", "", ()), ("behaviour", "FILE", ()))},
    "idle": {name: Option(name, value) for name, value in (("to", "ADDRESS:PORT"), ("sessions", "N"), ("seconds", "S"))},
}
SEND = "send: {messages: 10}\n"

# What is wrong, the file, and what the error must say.
WRONG = [
    ("empty", "", ["s.yaml:1:", "empty"]),
    ("a list", "- send\n", ["s.yaml:1:", "keys with values"]),
    ("no YAML", "send: {messages: 10\n", ["s.yaml:", "not YAML"]),
    ("unknown key", SEND + "warmup: 1 s\n", ["s.yaml:2:", '"warmup"', 'did you mean "warm_up"']),
    ("unknown key, nothing near", SEND + "zzz: 1\n", ["s.yaml:2:", '"zzz"']),
    ("unknown option", "send:\n  messages: 10\n  sesions: 5\n", ["s.yaml:3:", '"sesions"', 'send', '"sessions"']),
    ("underscore", "send:\n  messages: 10\n  messages_per_session: 5\n", ["s.yaml:3:", '"messages-per-session"']),
    ("option of the laboratory", "send:\n  messages: 10\n  ledger: x\n", ["s.yaml:3:", '"ledger"', "itself"]),
    ("no number", "send:\n  messages: many\n", ["s.yaml:2:", '"messages"', "a number", '"many"']),
    ("a negative number", "send:\n  messages: -1\n", ["s.yaml:2:", '"messages"']),
    ("no octets", SEND + "target: {size_max: 4 KB}\n", ["s.yaml:2:", '"size_max"', "octets"]),
    ("no time", SEND + "warm_up: 5\n", ["s.yaml:2:", '"warm_up"', "2 s"]),
    ("half a second", SEND + "warm_up: 500 ms\n", ["s.yaml:2:", '"warm_up"', "whole"]),
    ("no truth", SEND + "ledger: on\n", ["s.yaml:2:", '"ledger"', "yes or no"]),
    ("no such word", SEND + "until: deliverd\n", ["s.yaml:2:", '"until"', 'did you mean "delivered"']),
    ("option's word", "send: {messages: 1, pipelining: of}\n", ["s.yaml:1:", '"pipelining"', 'did you mean "off"']),
    ("list for a value", "send:\n  messages: [1, 2]\n", ["s.yaml:2:", '"messages"', "one value"]),
    ("value for a section", SEND + "target: down\n", ["s.yaml:2:", "target", "keys with values"]),
    ("twice", "send:\n  messages: 1\n  messages: 2\n", ["s.yaml:3:", '"messages"', "twice"]),
    ("unknown key of target", SEND + "target:\n  nexthop: sink\n", ["s.yaml:3:", '"nexthop"', '"next_hop"']),
    ("sink option", SEND + "sink:\n  refuse_rcpt: 451\n", ["s.yaml:3:", '"refuse_rcpt"', '"refuse-rcpt"']),
    ("step without label", SEND + "steps:\n  - send: {rate: 5}\n", ["s.yaml:3:", "step 1", "label"]),
    ("key of a step", SEND + "steps:\n  - label: a\n    sink: {}\n    until: answers\n", ["s.yaml:5:", '"until"', "step 1"]),
    ("two labels", SEND + "steps: [{label: a}, {label: a}]\n", ["s.yaml:2:", "same label"]),
    ("label of our own", SEND + "steps: [{label: maximum}]\n", ["s.yaml:2:", "maximum"]),
    ("steps are a list", SEND + "steps: {label: a}\n", ["s.yaml:2:", "steps", "list"]),
    ("event", SEND + "events:\n  - at: 5 s\n    do: restrat\n", ["s.yaml:4:", '"do"', '"restart"']),
    ("event's time", SEND + "events:\n  - at: soon\n    do: kill\n", ["s.yaml:3:", '"at"']),
    ("half an event", SEND + "events:\n  - do: kill\n", ["s.yaml:3:", "event 1", '"at"']),
    ("nobody sends", "description: nothing\n", ["s.yaml:1:", "neither"]),
    ("no end", "send: {sessions: 10}\n", ["s.yaml:1:", '"messages"', '"seconds"']),
    ("only background", "senders:\n  a: {background: yes, sessions: 1}\n", ["s.yaml:1:", "background"]),
    ("percent of nothing", SEND + "steps:\n  - label: half\n    send: {rate: 50 %}\n", ["s.yaml:2:", '"maximum"', "half"]),
    ("delivered to nobody", SEND + "until: delivered\n", ["s.yaml:2:", "next_hop: sink"]),
    ("next hop of nobody", SEND + "events: [{at: sent, do: next-hop-up}]\n", ["s.yaml:2:", "next_hop: sink"]),
]


def parse(text, settings=()):
    return scenario.parse(text, "s.yaml", OPTIONS, settings)


def errors_name_place_and_key(rig):
    for label, text, parts in WRONG:
        try:
            parse(text)
        except ScenarioError as error:
            for part in parts:
                expect_in(part, str(error), label)
        else:
            raise AssertionError(f"{label}: it was taken")
    return f"{len(WRONG)} files"


def sections_become_plans(rig):
    what = parse("""
description: all of it
target: {next_hop: sink, cores: 3, size_max: 2M}
sink:
  cores: 2
  no-pipelining: yes
  behaviour: |
    one
    two
send: {sessions: 7, seconds: 2, size: 100K, pipelining: off, bdat: no, rate: 10 %}
senders:
  noise: {background: true, sessions: 1}
idle: {sessions: 5}
warm_up: 2 s
until: delivered
ledger: yes
maximum:
  send: {seconds: 1}
steps:
  - label: half
    send: {rate: 50 %}
  - label: quiet
    senders: {noise: none}
    send: {rate: 5}
    idle: {sessions: 0}
    target: {cores: 1}
events:
  - at: 1.5 s
    do: kill
""")
    expect_equal([plan.label for plan in what.plans()], ["maximum", "half", "quiet"])
    first, half, quiet = what.plans()
    expect_equal(first.senders[0].options,
                 {"sessions": 7, "seconds": 1, "size": 102400, "pipelining": "off", "bdat": False}, "the maximum")
    expect_equal(first.events, [], "nothing happens while the maximum is sought")
    expect_equal(half.events, [scenario.Event(1.5, "kill")])
    expect_equal([(s.name, s.background) for s in half.senders], [("send", False), ("noise", True)])
    expect(half.needs_maximum() and not quiet.needs_maximum(), "who needs the maximum")
    expect_equal(half.settle(1001).senders[0].options["rate"], 500, "half of the maximum")
    expect_equal(half.senders[0].options["rate"], scenario.Share(50), "the plan itself stays")
    expect_equal([s.name for s in quiet.senders], ["send"])
    expect_equal((quiet.target.cores, half.target.cores, half.target.size_max), (1, 3, 2 << 20))
    expect_equal((what.warm_up_s, what.until, what.ledger), (2, "delivered", True))
    expect_equal(target.option_words(quiet.senders[0].options),
                 ["--sessions", "7", "--seconds", "2", "--size", "102400", "--pipelining", "off", "--rate", "5"])
    expect_equal(half.sink, {"cores": 2, "no-pipelining": True, "behaviour": scenario.Inline("one\ntwo\n")})


def files_are_found(rig):
    """A path begins where the scenario is; a word that is no file is the program's; several lines are the text."""
    path = rig.path("s.yaml")
    for name, text in (("domains", "example.org 1\n"), ("s.yaml", SEND)):
        with open(rig.path(name), "w", encoding="utf-8") as file:
            file.write(text)
    for value, wanted in [("domains", rig.path("domains")), ("corporate", "corporate"),
                          ("below/it", rig.path("below/it")), ("/etc/x", "/etc/x")]:
        what = scenario.read(path, OPTIONS, [("sink.behaviour", value)])
        expect_equal(what.plans()[0].sink["behaviour"], wanted, value)


def settings_replace_keys(rig):
    what = parse(SEND, [("send.messages", "20"), ("target.cores", "1"), ("warm_up", "1 s")])
    plan = what.plans()[0]
    expect_equal((plan.senders[0].options["messages"], plan.target.cores, what.warm_up_s), (20, 1, 1.0))
    for settings, part in [([("send.mesages", "20")], '"mesages"'), ([("target.cores", "x")], "a number"),
                           ([("warm_up.x", "1")], "one value")]:
        try:
            parse(SEND, settings)
        except ScenarioError as error:
            expect_in(f"--set {settings[0][0]}=", str(error))
            expect_in(part, str(error))
        else:
            raise AssertionError(f"{settings} was taken")


def quick_divides(rig):
    what = parse("send: {messages: 1000, rate: 50, ramp: 1}\nidle: {sessions: 500}\nhold: 3 s\n"
                 "steps: [{label: a, send: {messages: 5}}]\nevents: [{at: 5 s, do: kill}, {at: sent, do: flush}]\n")
    what.quicken()
    plan = what.plans()[0]
    expect_equal(plan.senders[0].options, {"messages": 1, "rate": 5})
    expect_equal(plan.idle, {"sessions": 50})
    expect_equal([event.at for event in plan.events], [0.5, "sent"])


def help_tells_options(rig):
    known = target.options_known()
    expect_equal(known["send"]["pipelining"].words, ("offered", "off", "overlap"))
    expect_equal((known["send"]["size"].value, known["send"]["bdat"].value), ("OCTETS", ""))
    for name in ("sessions", "messages", "seconds", "rate"):
        expect(known["send"][name].value in scenario.NUMBER_WORDS, f"{name} is a number")
    expect_in("no-pipelining", known["sink"])


def built_in_ones_are_sound(rig):
    known = scenario.built_in(target.SCENARIOS)
    for name in ("accept", "accept-pipelined", "accept-new-connection", "relay", "relay-large", "latency", "latency-250",
                 "idle", "slow-clients", "backlog", "many-domains", "large-messages", "connection-storm",
                 "restart-under-load"):
        expect_in(name, known, "a scenario is missing")
    options = target.options_known()
    for name, path in known.items():
        what = scenario.read(path, options)
        expect(what.description, f"{name} has no description")
        expect(what.plans(), name)
        text = ringpost.read_text(path)
        expect_equal(text.split("\n")[0], "# SPDX-License-Identifier: Apache-2.0", name)
        expect(text.split("\n")[1].startswith("# "), f"{name} does not say what it shows")
    return f"{len(known)} scenarios"


def the_command_line_says_what_is_wrong(rig):
    for words, part in [(["run", "acept"], 'did you mean "accept"'), (["run", "nowhere.yaml"], "nowhere.yaml"),
                        (["run"], "SCENARIO"), (["run", "accept", "--set", "send.sesions=1"], '"sessions"'),
                        (["run", "accept", "--target", "sendmial"], "sendmial"),
                        (["run", "accept", "--rounds", "0"], "1 to 1000"),
                        (["compare", "accept", "--peers", "floor,floor"], "once"),
                        (["compare", "accept", "--peers", "floor", "--base", "exim"], "exim"),
                        (["run", "accept", "--target", "floor@/nonexistent"], "/nonexistent")]:
        done = rig.run("ringpost-bench", *words)
        expect_equal(done.returncode, 2, f"{words}: {done.stderr}")
        expect_in(part, done.stderr, str(words))


if __name__ == "__main__":
    sys.exit(ringpost.main(errors_name_place_and_key, sections_become_plans, files_are_found, settings_replace_keys, quick_divides,
                           help_tells_options, built_in_ones_are_sound, the_command_line_says_what_is_wrong))
