# SPDX-License-Identifier: Apache-2.0
"""A scenario against one target or several, in alternating rounds: the commands run and compare."""
from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict

from lab import machine, result, run, scenario, target

PEERS = "ringpost,floor,postfix,exim,opensmtpd"


class Lab:
    """The place of the runs: a directory on the measured disk, ports, limits."""

    def __init__(self, directory, keep=False):
        self.live, self.ports, self.keep, self.kept = run.Live(), target.Ports(), keep, []
        self.descriptors = target.descriptors_raise()
        self.directory = tempfile.mkdtemp(prefix="ringpost-bench-", dir=os.path.abspath(directory))
        os.chmod(self.directory, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.live.clear()
        if not self.kept:
            shutil.rmtree(self.directory, ignore_errors=True)


def say(text):
    print(text, file=sys.stderr, flush=True)


def peers_make(words, build=None):
    """(peers that are ready, {word: About}, warnings).  One that cannot be installed is left out."""
    peers, abouts, warnings = [], {}, []
    for word in words:
        if word == "ringpost" and build:
            word = f"ringpost@{build}"
        peer = target.Peer(word)
        try:
            peer.install()
            abouts[word] = peer.about()
            peers.append(peer)
        except (target.TargetError, OSError) as error:
            warnings.append(f"{word} is left out: {error}")
    return peers, abouts, warnings


def rotate(peers, round_):
    """Each goes first as often as the others."""
    at = (round_ - 1) % len(peers)
    return peers[at:] + peers[:at]


def target_facts(peer, about):
    facts = asdict(about) | {"settings": ""}
    commit = machine.source_commit(peer.root) if peer.name in target.OURS else ""
    if commit:
        facts["commit"] = commit
    return facts


def time_left(passed, done, whole):
    """Of runs, of which so many took so long; "" as long as nobody can tell."""
    if not done:
        return ""
    left = passed / done * (whole - done)
    return f", some {left / 60:.0f} min left" if left > 90 else f", some {left:.0f} s left"


def peer_round(plans, peer, number, lab, settings, progress):
    """All steps of a round against one peer.  progress: what is behind the names in the live line."""
    runs, maximum = [], None
    for plan in plans:
        title = " ".join(word for word in (plan.scenario.name, plan.label, peer.word) if word) + progress
        if plan.needs_maximum():
            if not maximum:
                runs.append(result.Run(peer.word, number, plan.label, run.now(),
                                       warnings=["no figures: its maximum is not known"]))
                continue
            plan = plan.settle(maximum)
        done = run.perform(plan, peer, number, lab, title, settings)
        if plan.label == scenario.MAXIMUM:
            maximum = done.metrics.get("rate")
        runs.append(done)
    return runs


def warnings_gather(runs):
    """Each warning once, with the runs that gave it."""
    places = {}
    for one in runs:
        for text in one.warnings:
            places.setdefault((one.target, one.step, text), []).append(one.round)
    return [f"{word}{', ' + step if step else ''}, round {', '.join(map(str, rounds))}: {text}"
            for (word, step, text), rounds in places.items()]


def campaign(what, peers, abouts, rounds, directory, command, keep=False):
    """All rounds; returns the document of the result and the runs.  An interrupt ends it early with what there is."""
    when, settings, runs, interrupted = run.now(), {}, [], []
    with Lab(directory, keep) as lab:
        before = machine.facts(lab.directory)
        warnings = machine.warnings(before)
        say(f"{what.name}: {what.description}" if what.description else what.name)
        say(before.line())
        for peer in peers:
            say(f"{peer.word}: {abouts[peer.word].name} {abouts[peer.word].version}".rstrip()
                + f"; before 250: {abouts[peer.word].sync}")
        try:
            began = time.monotonic()
            turns = [(number, peer) for number in range(1, rounds + 1) for peer in rotate(peers, number)]
            for done, (number, peer) in enumerate(turns):
                left = time_left(time.monotonic() - began, done, len(turns))
                runs += peer_round(what.plans(), peer, number, lab, settings, f", round {number} of {rounds}{left}")
        except KeyboardInterrupt:
            interrupted = ["interrupted: not all rounds are here"]
        after = machine.sync_yardstick(lab.directory)
        warnings += machine.sync_warnings(before.sync_4k_us, after) + interrupted
        for place in lab.kept:
            say(f"kept: {place}")
    targets = {peer.word: target_facts(peer, abouts[peer.word]) | {"settings": settings.get(peer.word, "")}
               for peer in peers}
    facts = before.as_dict() | {"sync_4k_us_after": after}
    tool = {"version": target.bench_version(), "commit": machine.source_commit(target.SCENARIOS)}
    return result.document(what, when, command, facts, tool, targets, runs, warnings), runs


def finish(document, runs, out, base, began):
    """Writes the file, prints the table and what is doubtful; the exit status."""
    good = [one for one in runs if one.metrics]
    if document["summary"]:
        print("\n".join(result.table(document["summary"], base)))
    for text in document["warnings"] + warnings_gather(runs):
        say(f"warning: {text}")
    result.write(out, document)
    say(f"{len(good)} runs in {time.monotonic() - began:.0f} s; {out}")
    return 0 if good and len(good) == len(runs) else 1


def scenario_read(word, settings, quick):
    pairs = []
    for setting in settings:
        path, equals, value = setting.partition("=")
        if not path or not equals:
            raise scenario.ScenarioError(f"--set wants KEY=VALUE, as send.sessions=50, not \"{setting[:60]}\"")
        pairs.append((path, value))
    what = scenario.read(scenario.find(word, target.SCENARIOS), target.options_known(), pairs)
    if quick:
        what.quicken()
    return what


def main(options, command):
    """options: of the command line, see command.py."""
    began = time.monotonic()
    what = scenario_read(options.scenario, options.set, options.quick)
    words = [word for word in options.peers.split(",") if word]
    if len(set(words)) < len(words) or not words:
        raise target.TargetError("--peers names each target once, separated by commas")
    peers, abouts, left_out = peers_make(words, options.build)
    for text in left_out:
        say(f"warning: {text}")
    if not peers:
        raise target.TargetError("there is no target left")
    base = options.base
    if base and base not in abouts:
        if base in words and len(peers) > 1:
            base = None  # it was left out, which was said
        else:
            raise target.TargetError(f"--base {base}: no such target in this run; there are {', '.join(abouts)}")
    out = options.out or time.strftime(f"{what.name}-%Y%m%d-%H%M%S.json")
    if not os.path.isdir(os.path.dirname(os.path.abspath(out))):
        raise target.TargetError(f"--out {out}: no such directory")
    document, runs = campaign(what, peers, abouts, options.rounds, options.dir, command, options.keep)
    document["warnings"] = left_out + document["warnings"]
    return finish(document, runs, out, base, began)
