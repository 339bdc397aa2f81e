# SPDX-License-Identifier: Apache-2.0
"""The command lines of ringpost-bench run and compare."""
from __future__ import annotations

import argparse
import signal
import sys

from lab import compare, scenario, target


def count(text):
    number = int(text) if text.isdigit() else 0
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"a number from 1 to 1000, not \"{text[:60]}\"")
    return number


def parser(name, what, rounds):
    p = argparse.ArgumentParser(prog=f"ringpost-bench {name}", description=what, allow_abbrev=False)
    p.add_argument("scenario", metavar="SCENARIO", nargs="?",
                   help="a YAML file, or the name of a built-in scenario (--list)")
    p.add_argument("--rounds", type=count, default=rounds, metavar="N", help=f"so many rounds ({rounds})")
    p.add_argument("--dir", default=".", metavar="DIR",
                   help="where spools go: a directory of the disk that is measured (.)")
    p.add_argument("--out", metavar="FILE", help="the result (SCENARIO-DATE-TIME.json)")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                   help="replace a key of the scenario, as send.sessions=50; may be given several times")
    p.add_argument("--quick", action="store_true", help="a tenth of the messages and times: to see that it works")
    p.add_argument("--keep", action="store_true", help="leave the directory of a run that failed")
    p.add_argument("--list", action="store_true", help="name the built-in scenarios and the targets")
    return p


def listing():
    options = target.options_known()
    print("scenarios:")
    known = scenario.built_in(target.SCENARIOS)
    width = max(map(len, known), default=0)
    for name, path in known.items():
        print(f"  {name.ljust(width)}  {scenario.read(path, options).description}")
    print(f"targets: {', '.join(target.known())}")
    print("NAME@DIR takes a target from another directory: ringpost@build/old/bin")
    return 0


def arguments(name, words):
    if name == "run":
        p = parser(name, "Starts target, sink and senders as a scenario says, measures, and writes a result.", 1)
        p.add_argument("--target", default="ringpost", metavar="NAME", help="whom to measure (ringpost)")
    else:
        p = parser(name, "Runs a scenario against several servers in turn, in alternating rounds.", 5)
        p.add_argument("--peers", default=compare.PEERS, metavar="NAMES", help=f"whom to measure ({compare.PEERS})")
        p.add_argument("--base", metavar="NAME", help="whom the table's ratios are to (floor, else the first)")
        p.add_argument("--build", metavar="DIR", help="take ringpost from this directory")
    options = p.parse_args(words)
    if not options.list and not options.scenario:
        p.error("SCENARIO is needed; --list names the built-in ones")
    if name == "run":
        options.peers, options.base, options.build = options.target, None, None
    elif not options.base:
        names = options.peers.split(",")
        options.base = "floor" if "floor" in names else names[0] if len(names) > 1 else None
        if options.base == "ringpost" and options.build:
            options.base = f"ringpost@{options.build}"
    return options


def interrupted(number, frame):
    raise KeyboardInterrupt


def main(words):
    name, rest = words[0], words[1:]
    try:
        options = arguments(name, rest)
        if options.list:
            return listing()
        signal.signal(signal.SIGTERM, interrupted)
        return compare.main(options, ["ringpost-bench", *words])
    except (scenario.ScenarioError, target.TargetError, OSError) as error:
        print(f"ringpost-bench {name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
