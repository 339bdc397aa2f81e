# SPDX-License-Identifier: Apache-2.0
"""What a run does, read from a YAML file.

A scenario has sections: target, sink, idle, and one or several senders; a step overrides some of their keys, and
together they are a Plan, which run.py carries out.  Keys of the sections sink, idle and of senders are the options of
`ringpost-bench sink`, `idle` and `send`, asked of the program itself (--help), so that the two cannot differ.  All other
keys are rows of ROWS.  Text is taken as it stands in the file: `pipelining: off` is the word off, not a truth value.

Whatever is wrong is a ScenarioError that names file, line and key, and the key that was probably meant.
"""
from __future__ import annotations

import copy
import difflib
import os
import re
from dataclasses import dataclass, field

import yaml

# What the laboratory itself says to the programs.
RESERVED = {
    "send": {"to", "json", "ledger", "watch-pid", "warm-up", "help", "i-own-this-host"},
    "sink": {"listen", "json", "ledger", "store", "export", "help"},
    "idle": {"to", "seconds", "help"},
}
SECTIONS = ("target", "sink", "idle", "send", "senders")
SET = "--set "  # begins the name of the place of what the command line sets
MAXIMUM = "maximum"  # the label of the step that finds it
FILE_OCTETS_MAX = 1 << 20
STEPS_MAX, EVENTS_MAX, SENDERS_MAX = 64, 64, 16


class ScenarioError(Exception):
    """Its text is for whoever wrote the scenario."""


@dataclass(frozen=True)
class Row:
    """A key: where it stands, how its value is written, what it says."""
    name: str
    kind: str  # text, count, octets, duration, flag, word
    what: str
    words: tuple[str, ...] = ()


TOP_ROWS = (
    Row("description", "text", "One sentence: what the scenario shows."),
    Row("warm_up", "duration", "How long it runs before figures count."),
    Row("hold", "duration", "How long idle sessions are held when there is no sender."),
    Row("until", "word", "What ends a run: every sender has its answers, or also everything was delivered.",
        ("answers", "delivered")),
    Row("ledger", "flag", "Keep accounts of what was sent and what arrived, and balance them."),
    Row("watch_queue", "flag", "Ask the target for the length of its queue every second."),
)
TARGET_ROWS = (
    Row("next_hop", "word", "Mail goes to the sink, or the next hop is down and mail stays.", ("sink", "down")),
    Row("cores", "count", "Threads of the target, where it has such a setting."),
    Row("size_max", "octets", "Largest message that the target takes."),
)
SENDER_ROWS = (
    Row("background", "flag", "It makes noise: its figures are not part of the result, and it ends with the others."),
)
STEP_ROWS = (
    Row("label", "text", "What the step is called in results."),
    Row("hold", "duration", "As at the top."),
)
EVENT_ROWS = (
    Row("at", "moment", "When: so long after the senders began, or \"start\" (before them), or \"sent\" (when all of "
                        "them have ended)."),
    Row("do", "word", "What happens.", ("restart", "kill", "next-hop-down", "next-hop-up", "flush")),
)
NESTED = {"top": ("target", "sink", "idle", "send", "senders", "steps", "maximum", "events"),
          "step": SECTIONS, "maximum": SECTIONS}


@dataclass(frozen=True)
class Share:
    """So much of what the target was found to bear."""
    percent: float

    def of(self, maximum):
        return max(1, round(maximum * self.percent / 100))


@dataclass(frozen=True)
class Inline:
    """The text of a file that an option wants, written out in the scenario."""
    text: str


@dataclass
class Sender:
    name: str
    options: dict
    background: bool = False


@dataclass
class TargetSettings:
    next_hop: str = "down"
    cores: int = 2
    size_max: int = 64 << 20


@dataclass(frozen=True)
class Event:
    at: float | str  # seconds, "start" or "sent"
    do: str


@dataclass
class Plan:
    """One step, complete."""
    label: str
    target: TargetSettings
    senders: list[Sender]
    sink: dict
    idle: dict
    hold_s: float
    events: list[Event]
    scenario: Scenario

    def needs_maximum(self):
        return any(isinstance(value, Share) for sender in self.senders for value in sender.options.values())

    def settle(self, maximum):
        """The same with its shares turned into numbers."""
        plan = copy.copy(self)
        plan.senders = [Sender(s.name, {key: value.of(maximum) if isinstance(value, Share) else value
                                        for key, value in s.options.items()}, s.background) for s in self.senders]
        return plan


@dataclass
class Scenario:
    name: str
    text: str
    description: str = ""
    warm_up_s: float = 0
    hold_s: float = 3
    until: str = "answers"
    ledger: bool = False
    watch_queue: bool = False
    sections: dict = field(default_factory=dict)
    maximum: dict | None = None
    steps: list[tuple[str, dict, float | None]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def plans(self):
        """The steps in order; the one that finds the maximum, if there is one, is the first."""
        plans = [self._plan(*step) for step in self.steps or [("", {}, None)]]
        if self.maximum is not None:
            finding = self._plan(MAXIMUM, self.maximum, None)
            finding.events = []
            for sender in finding.senders:
                sender.options = {key: value for key, value in sender.options.items() if not isinstance(value, Share)}
            plans.insert(0, finding)
        return plans

    def _plan(self, label, overrides, hold_s):
        merged = merge_sections(self.sections, overrides)
        senders = [Sender(name, {key: value for key, value in options.items() if key != "background"},
                          options.get("background", False))
                   for name, options in merged.get("senders", {}).items() if options is not None]
        return Plan(label, TargetSettings(**merged.get("target", {})), senders, merged.get("sink", {}),
                    merged.get("idle", {}), self.hold_s if hold_s is None else hold_s,
                    list(self.events), self)

    def quicken(self, factor=10):
        """Fewer messages and idle sessions, lower rates, shorter times: to see that a scenario works, not for figures."""
        for sections in [self.sections, self.maximum or {}] + [step[1] for step in self.steps]:
            for options in list((sections.get("senders") or {}).values()) + [sections.get("idle") or {}]:
                for key in ("messages", "seconds", "rate") if options is not sections.get("idle") else ("sessions",):
                    if options and isinstance(options.get(key), int):
                        options[key] = max(1, options[key] // factor)
                if options:
                    options.pop("ramp", None)  # it went with the warm-up
        self.warm_up_s = 0
        self.hold_s /= factor
        self.events = [Event(e.at if isinstance(e.at, str) else e.at / factor, e.do) for e in self.events]


def merge_sections(below, above):
    """Keys of a section override those below it one by one; senders are told apart by name, and None takes one out."""
    merged = copy.deepcopy(below)
    for section, keys in above.items():
        if section == "senders":
            senders = merged.setdefault("senders", {})
            for name, options in keys.items():
                senders[name] = None if options is None else {**(senders.get(name) or {}), **options}
        else:
            merged[section] = {**merged.get(section, {}), **keys}
    return merged


# --- the programs' options ------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Option:
    """An option of ringpost-bench, as its --help tells it."""
    name: str
    value: str = ""  # what help calls the value; empty for a flag
    words: tuple[str, ...] = ()


def options_from_help(text):
    """{name: Option} from the text of --help."""
    options = {}
    for match in re.finditer(r"^  --([a-z0-9-]+)(?: (\S+))?\n((?:        .*\n?)*)", text, re.M):
        name, value, what = match.group(1), match.group(2) or "", match.group(3)
        words = re.search(r"One of ([a-z0-9, -]+)\.", what)
        options[name] = Option(name, value, tuple(words.group(1).split(", ")) if words else ())
    return options


# --- reading --------------------------------------------------------------------------------------------------

NUMBER = re.compile(r"[0-9]+")
OCTETS = re.compile(r"([0-9]+)([kKmMgG]?)")
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h)")
PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")
SHIFT = {"": 0, "k": 10, "m": 20, "g": 30}
UNIT_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
TRUTH = {"yes": True, "true": True, "no": False, "false": False}
# How --help calls values that are numbers.
NUMBER_WORDS = {"N", "S", "R", "K", "MS", "PID", "PORT"}


def value_duration(text):
    match = DURATION.fullmatch(text)
    return float(match.group(1)) * UNIT_S[match.group(2)] if match else None


def value_octets(text):
    match = OCTETS.fullmatch(text)
    return int(match.group(1)) << SHIFT[match.group(2).lower()] if match else None


def meant(word, words):
    near = difflib.get_close_matches(word, words, 1)
    return f"; did you mean \"{near[0]}\"?" if near else ""


class Reader:
    """Turns nodes of YAML, which know their lines, into sections."""

    def __init__(self, file, options):
        self.file, self.options = file, options

    def wrong(self, node, what):
        mark = node.start_mark
        where = mark.name if mark.name.startswith(SET) else f"{self.file}:{mark.line + 1}"
        return ScenarioError(f"{where}: {what}")

    def pairs(self, node, where):
        if not isinstance(node, yaml.MappingNode):
            raise self.wrong(node, f"{where or 'a scenario'} is written as keys with values")
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.wrong(key, "a key is a word")
            if key.value in seen:
                raise self.wrong(key, f"\"{key.value}\" stands here twice")
            seen.add(key.value)
            yield key, value

    def items(self, node, where, count_max):
        if not isinstance(node, yaml.SequenceNode):
            raise self.wrong(node, f"{where} is a list")
        if len(node.value) > count_max:
            raise self.wrong(node, f"{where} has more than {count_max} entries")
        return node.value

    def scalar(self, key, node, kind, words=()):
        """A value by its kind."""
        name = key.value
        if not isinstance(node, yaml.ScalarNode):
            raise self.wrong(node, f"\"{name}\" takes one value")
        text = node.value
        if kind == "text":
            if text:
                return text
            raise self.wrong(node, f"\"{name}\" is empty")
        if kind == "count" and NUMBER.fullmatch(text):
            return int(text)
        if kind == "octets" and value_octets(text) is not None:
            return value_octets(text)
        if kind == "duration" and value_duration(text) is not None:
            return value_duration(text)
        if kind == "moment":
            if text in ("start", "sent"):
                return text
            if value_duration(text) is not None:
                return value_duration(text)
        if kind == "flag" and text.lower() in TRUTH:
            return TRUTH[text.lower()]
        if kind == "word" and text in words:
            return text
        wants = {"count": "a number", "octets": "octets, as 4096 or 100K", "duration": "a time, as 500 ms, 2 s or 1 m",
                 "moment": "a time, as 5 s, or start or sent", "flag": "yes or no",
                 "word": f"one of {', '.join(words)}"}[kind]
        raise self.wrong(node, f"\"{name}\" wants {wants}, not \"{text[:60]}\"" + meant(text, words))

    def unknown(self, key, where, known):
        inside = f" in {where}" if where else ""
        return self.wrong(key, f"unknown key \"{key.value[:60]}\"{inside}" + meant(key.value, list(known)))

    def rows(self, key, value, rows, out):
        """Reads the key if it is among the rows."""
        for row in rows:
            if row.name == key.value:
                out[row.name] = self.scalar(key, value, row.kind, row.words)
                return True
        return False

    def program(self, command, node, where, rows=()):
        """Options of a command of ringpost-bench, and rows of our own beside them."""
        known, out = self.options[command], {}
        free = {name for name in known if name not in RESERVED[command]}
        for key, value in self.pairs(node, where):
            if self.rows(key, value, rows, out):
                continue
            if key.value in RESERVED[command]:
                raise self.wrong(key, f"\"{key.value}\" in {where} is said by ringpost-bench run itself")
            if key.value not in free:
                if key.value.replace("_", "-") in free:
                    raise self.wrong(key, f"unknown key \"{key.value}\" in {where}; did you mean "
                                          f"\"{key.value.replace('_', '-')}\"?")
                raise self.unknown(key, where, free | {row.name for row in rows})
            out[key.value] = self.option(command, key, value, known[key.value])
        return out

    def option(self, command, key, node, option):
        if option.value in ("FILE", "DIRECTORY"):
            return self.file_named(self.scalar(key, node, "text"))
        if not option.value:
            return self.scalar(key, node, "flag")
        if option.words and ":" not in option.value:
            return self.scalar(key, node, "word", option.words)
        if option.name == "rate" and isinstance(node, yaml.ScalarNode) and PERCENT.fullmatch(node.value):
            return Share(float(PERCENT.fullmatch(node.value).group(1)))
        if option.value in NUMBER_WORDS:
            return self.scalar(key, node, "count")
        if option.value == "OCTETS":
            return self.scalar(key, node, "octets")
        return self.scalar(key, node, "text")

    def file_named(self, text):
        """Several lines are a file's text; else a path from where the scenario is, or a word that the program knows."""
        if "\n" in text:
            return Inline(text)
        path = os.path.join(os.path.dirname(os.path.abspath(self.file)), text)
        return path if "/" in text or os.path.exists(path) else text

    def senders(self, node):
        out = {}
        for key, value in self.pairs(node, "senders"):
            out[key.value] = None if isinstance(value, yaml.ScalarNode) and value.value == "none" else \
                self.program("send", value, f"senders.{key.value}", SENDER_ROWS)
        if len(out) > SENDERS_MAX:
            raise self.wrong(node, f"senders has more than {SENDERS_MAX} entries")
        return out

    def target(self, node):
        out = {}
        for key, value in self.pairs(node, "target"):
            if not self.rows(key, value, TARGET_ROWS, out):
                raise self.unknown(key, "target", [row.name for row in TARGET_ROWS])
        return out

    def section(self, key, value, sections):
        """Reads the key if it is a section."""
        if key.value == "target":
            sections["target"] = self.target(value)
        elif key.value in ("sink", "idle"):
            sections[key.value] = self.program(key.value, value, key.value)
        elif key.value == "send":
            sections.setdefault("senders", {})["send"] = self.program("send", value, "send", SENDER_ROWS)
        elif key.value == "senders":
            sections.setdefault("senders", {}).update(self.senders(value))
        else:
            return False
        return True

    def step(self, node, number):
        sections, out, where = {}, {}, f"step {number}"
        for key, value in self.pairs(node, where):
            if not self.section(key, value, sections) and not self.rows(key, value, STEP_ROWS, out):
                raise self.unknown(key, where, NESTED["step"] + tuple(row.name for row in STEP_ROWS))
        if "label" not in out:
            raise self.wrong(node, f"{where} has no label")
        return out["label"], sections, out.get("hold")

    def maximum(self, node):
        sections = {}
        for key, value in self.pairs(node, "maximum"):
            if not self.section(key, value, sections):
                raise self.unknown(key, "maximum", NESTED["maximum"])
        return sections

    def event(self, node, number):
        out, where = {}, f"event {number}"
        for key, value in self.pairs(node, where):
            if not self.rows(key, value, EVENT_ROWS, out):
                raise self.unknown(key, where, [row.name for row in EVENT_ROWS])
        for name in ("at", "do"):
            if name not in out:
                raise self.wrong(node, f"{where} has no \"{name}\"")
        return Event(out["at"], out["do"])

    def whole(self, node, scenario):
        plain, lines = {}, {}
        for key, value in self.pairs(node, ""):
            lines[key.value] = key
            if self.section(key, value, scenario.sections) or self.rows(key, value, TOP_ROWS, plain):
                continue
            if key.value == "steps":
                for i, item in enumerate(self.items(value, "steps", STEPS_MAX)):
                    scenario.steps.append(self.step(item, i + 1))
                labels = [MAXIMUM] + [step[0] for step in scenario.steps]
                if len(set(labels)) < len(labels):
                    raise self.wrong(key, f"two steps have the same label, or one is called \"{MAXIMUM}\"")
            elif key.value == "maximum":
                scenario.maximum = self.maximum(value)
            elif key.value == "events":
                scenario.events = [self.event(item, i + 1)
                                   for i, item in enumerate(self.items(value, "events", EVENTS_MAX))]
            else:
                raise self.unknown(key, "", NESTED["top"] + tuple(row.name for row in TOP_ROWS))
        for name, attribute in (("description", "description"), ("warm_up", "warm_up_s"), ("hold", "hold_s"),
                                ("until", "until"), ("ledger", "ledger"), ("watch_queue", "watch_queue")):
            if name in plain:
                setattr(scenario, attribute, plain[name])
        self.agree(node, scenario, lines)

    def agree(self, node, scenario, lines):
        """What no single key can tell."""
        if scenario.warm_up_s % 1:
            raise self.wrong(lines["warm_up"], "\"warm_up\" takes whole seconds")
        for plan in scenario.plans():
            at = lines.get("steps" if plan.label else "send", lines.get("senders", node))
            where = f"step \"{plan.label}\"" if plan.label else "the scenario"
            if not plan.senders and not plan.idle:
                raise self.wrong(at, f"{where} has neither a sender nor idle sessions")
            if plan.senders and all(sender.background for sender in plan.senders):
                raise self.wrong(at, f"{where} has no sender that is not background: nothing would end it")
            for sender in plan.senders:
                ends = "messages" in sender.options or "seconds" in sender.options or "dir" in sender.options
                if not sender.background and not ends:
                    raise self.wrong(at, f"sender \"{sender.name}\" of {where} says neither \"messages\" nor "
                                         "\"seconds\"")
            if plan.needs_maximum() and scenario.maximum is None:
                raise self.wrong(at, f"{where} has a rate in percent, and there is no section \"maximum\" that "
                                     "says how the maximum is found")
            if plan.target.next_hop == "down" and scenario.until == "delivered":
                raise self.wrong(lines.get("until", at), "\"until: delivered\" needs \"target.next_hop: sink\"")
            if plan.target.next_hop == "down" and any(e.do.startswith("next-hop") for e in scenario.events):
                raise self.wrong(lines["events"], "next-hop-down and next-hop-up need \"target.next_hop: sink\"")


def set_key(root, path, value):
    """Puts --set PATH=VALUE into the tree of nodes, replacing what is there."""
    mark = yaml.Mark(f"{SET}{path}={value}", 0, 0, 0, None, None)
    *sections, last = path.split(".")
    node = root
    for name in sections:
        for key, below in node.value:
            if key.value == name:
                if not isinstance(below, yaml.MappingNode):
                    raise ScenarioError(f"{mark.name}: \"{name}\" is no section")
                node = below
                break
        else:
            below = yaml.MappingNode("map", [], mark, mark)
            node.value.append((yaml.ScalarNode("str", name, mark, mark), below))
            node = below
    node.value[:] = [(key, below) for key, below in node.value if key.value != last]
    node.value.append((yaml.ScalarNode("str", last, mark, mark), yaml.ScalarNode("str", value, mark, mark)))


def parse(text, file, options, settings=(), name=None):
    """A Scenario from the text of its file.

    options: {"send": {name: Option}, "sink": ..., "idle": ...}.  settings: ("send.sessions", "50"), ... which replace what
    the file says at its top.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        raise ScenarioError(f"{where}: not YAML: {getattr(error, 'problem', None) or error}") from None
    if root is None:
        raise ScenarioError(f"{file}:1: it is empty")
    if not isinstance(root, yaml.MappingNode):
        raise ScenarioError(f"{file}:1: a scenario is written as keys with values")
    for path, value in settings:
        set_key(root, path, value)
    scenario = Scenario(name or os.path.splitext(os.path.basename(file))[0], text)
    Reader(file, options).whole(root, scenario)
    return scenario


def read(path, options, settings=()):
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(FILE_OCTETS_MAX + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(text) > FILE_OCTETS_MAX:
        raise ScenarioError(f"{path}: longer than {FILE_OCTETS_MAX} octets")
    return parse(text, path, options, settings)


def built_in(directory):
    """{name: path}"""
    return {name.removesuffix(".yaml"): os.path.join(directory, name)
            for name in sorted(os.listdir(directory)) if name.endswith(".yaml")}


def find(word, directory):
    """The path of a scenario that is named by its file, or as a built-in one."""
    known = built_in(directory)
    if word in known:
        return known[word]
    if os.path.exists(word) or "/" in word or word.endswith(".yaml"):
        return word
    raise ScenarioError(f"no scenario \"{word[:60]}\"{meant(word, list(known))}  (--list names them)")
