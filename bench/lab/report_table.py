# SPDX-License-Identifier: Apache-2.0
"""The table of findings: the same rows for the page, for Markdown and for machines.

A Figure says what it is called, in which unit it is shown and where a Cell has it.  A column appears when any row has its
figure.
"""
import re

from lab import report_data


class Figure:
    def __init__(self, key, title, unit, scale, read):
        self.key = key                  # its name in JSON, whose unit is that of the result file
        self.title, self.unit = title, unit
        self.scale = scale              # what a value of the result file is divided by for the unit
        self.read = read                # Cell -> Spread or None


KINDS = {"accept": "accept", "end_to_end": "end to end", "connect": "connect", "transaction": "transaction", "commit": "commit"}


def kind_name(kind):
    return KINDS.get(kind, kind.replace("_", " "))


def metric(key, title, unit, scale=1):
    return Figure(key, title, unit, scale, lambda cell: cell.metric(key))


RATE = metric("rate", "rate", "messages/s")
CPU = metric("target_cpu_us", "CPU per message", "µs")
MEMORY = metric("target_rss_octets", "memory", "MiB", 1 << 20)


def latency(kind, name):
    words = {"p99_9": "p99.9"}.get(name, name)
    return Figure(f"{kind}_{name}_us", f"{kind_name(kind)} {words}", "ms", 1000, lambda cell: cell.latency(kind, name))


IDLE = metric("idle_sessions", "idle sessions", "held")
SESSION = metric("session_octets", "memory per session", "KiB", 1 << 10)
# What is shown only when it is not nought.
ODD = (metric("fill_rate", "filled", "messages/s"), IDLE, SESSION,
       metric("silence_s", "silence", "s"), metric("missing", "lost", "messages"), metric("duplicates", "twice", "messages"),
       metric("errors", "errors", "messages"))


def worth_a_column(cells, figure):
    values = [value for value in map(figure.read, cells) if value]
    return bool(values) and (figure not in ODD or any(value.most for value in values))


def main_kinds(kinds):
    """The latencies of the findings: to the 250, and to the next hop; else whatever there is first."""
    return [kind for kind in kinds if kind in ("accept", "end_to_end")] or kinds[:1]


def findings_figures(cells, kinds):
    """The figures of the first table."""
    figures = [RATE, CPU]
    figures += [latency(kind, name) for kind in main_kinds(kinds) for name in ("p50", "p99")]
    figures += [MEMORY, *ODD]
    return [figure for figure in figures if worth_a_column(cells, figure)]


# What the end of a metric's name says of its unit, and what is left of the name without it.
UNITS = ((r"_per_s$", "/s", 1), (r"_us$", "µs", 1), (r"_ms$", "ms", 1), (r"_s$", "s", 1), (r"^seconds$", "s", 1),
         (r"_octets$", "KiB", 1 << 10))


# Percentiles of latencies have tables of their own, made from all rounds.
SAID_ELSEWHERE = ("_p50_us", "_p90_us", "_p99_us", "_p99_9_us", "_max_us", "_mean_us")


def other_figures(cells):
    """Every metric that findings_figures() leaves out, named as in the file."""
    names = dict.fromkeys(name for cell in cells for run in cell.runs for name in run.get("metrics", {}))
    figures = []
    for name in names:
        if name in [figure.key for figure in (RATE, CPU, MEMORY, *ODD)] or name.endswith(SAID_ELSEWHERE):
            continue
        pattern, unit, scale = next((row for row in UNITS if re.search(row[0], name)), ("$", "", 1))
        title = re.sub(pattern, "", name) or name
        figures.append(metric(name, title.replace("_", " "), unit, scale))
    return figures


def ratio(result, cell, figure):
    """Of the median to that of the base at the same step, or None."""
    base = result.cells.get((result.base, cell.step))
    if base is None or base is cell:
        return None
    mine, least = figure.read(cell), figure.read(base)
    return mine.median / least.median if mine and least and least.median > 0 else None


def ratio_range(result, cell, figure):
    """The least and the greatest ratio of a round to the base's same round, or None: what both met in it falls out."""
    base = result.cells.get((result.base, cell.step))
    if base is None or base is cell:
        return None
    theirs = {run["round"]: value for run, value in ((run, base.alone(run, figure)) for run in base.runs if "round" in run) if value}
    each = [value / theirs[run["round"]] for run, value in ((run, cell.alone(run, figure)) for run in cell.runs)
            if value is not None and run.get("round") in theirs]
    return (min(each), max(each)) if len(each) > 1 else None


def digits(value, space=""):
    """Three significant digits, but whole numbers whole: 36985, 130, 25.0, 1.80, 0.152."""
    size = abs(value)
    if size >= 999.5 or size == int(size):
        return f"{value:,.0f}".replace(",", space)
    for bound, places in ((99.95, 0), (9.995, 1), (0.9995, 2)):
        if size >= bound:
            return f"{value:.{places}f}"
    return f"{value:.3f}" if size >= 0.001 else f"{value:.1e}"


def ratio_digits(value):
    return digits(value) if value >= 0.0995 else f"{value:.3f}"


def markdown_escape(text):
    """A text as one cell: it cannot end the cell, the row or become markup."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"([\\|`*<>\[\]])", r"\\\1", text)


def align(head, rows, right):
    """A Markdown table whose source is aligned as well."""
    widths = [max(3, *(len(row[i]) for row in [head, *rows])) for i in range(len(head))]

    def line(row):
        return "| " + " | ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths))) + " |"

    marks = ["-" * (w - 1) + ":" if i in right else "-" * w for i, w in enumerate(widths)]
    return "\n".join([line(head), "| " + " | ".join(marks) + " |", *map(line, rows)])


def swing(value):
    """Half of what lies between the least and the most, as a share of the median; None for one round."""
    if len(value.each) < 2 or value.median <= 0:
        return None
    return (value.most - value.least) / 2 / value.median


def markdown_cells(value, figure, times, between):
    """Value with its swing, and ratio, as Markdown."""
    if value is None:
        return ["", ""]
    share = swing(value)
    spread = f" ±{50 * (between[1] - between[0]) / times:.0f} %" if times and between else ""
    return [digits(value.median / figure.scale) + ("" if share is None else f" ±{100 * share:.0f} %"),
            "" if times is None else ratio_digits(times) + spread]


def markdown_table(results):
    """One table for results of one scenario."""
    cells = [cell for result in results for cell in result.cells.values()]
    figures = findings_figures(cells, list(dict.fromkeys(kind for r in results for kind in r.kinds())))
    several, stepped = len(results) > 1, any(cell.step for cell in cells)
    head = ["of"] * several + ["target"] + ["step"] * stepped
    texts = len(head)
    rows = []
    for result in results:
        for cell in result.cells.values():
            row = [markdown_escape(result.label())] * several + [markdown_escape(result.names[cell.target])]
            row += [markdown_escape(cell.step)] * stepped
            for figure in figures:
                row += markdown_cells(figure.read(cell), figure, ratio(result, cell, figure), ratio_range(result, cell, figure))
            rows.append(row)
    bases = {result.base for result in results if result.base}
    base = markdown_escape(bases.pop()) if len(bases) == 1 else "base"
    for figure in figures:
        head += [f"{figure.title}, {figure.unit}", f"/ {base}"]
    keep = [i for i in range(len(head)) if i < texts or any(row[i] for row in rows)]
    head, rows = [head[i] for i in keep], [[row[i] for i in keep] for row in rows]
    return align(head, rows, set(range(texts, len(head))))


SYNC, LOAD = "write and sync of 4 KiB", "load before"


def machine_words(result):
    """What it was measured on, as short texts."""
    return [f"{name}: {text}" if name in (SYNC, LOAD) else text for name, text in machine_facts(result)]


def machine_facts(result):
    """[(name, text)] of what is known of the machine."""
    m = result.machine
    facts = []
    if m.get("cpu"):
        facts.append(("processor", f"{digits(m['cores'])} × {m['cpu']}" if "cores" in m else m["cpu"]))
    if "memory_octets" in m:
        facts.append(("memory", f"{m['memory_octets'] / (1 << 30):.0f} GiB"))
    if m.get("kernel"):
        facts.append(("kernel", m["kernel"]))
    if m.get("file_system"):
        facts.append(("disk", f"{m['file_system']} on {m['device']}" if m.get("device") else m["file_system"]))
    sync = m.get("sync_4k_us", {})
    if sync:
        facts.append((SYNC, ", ".join(f"{k} {digits(v / 1000)} ms" for k, v in sync.items())))
    if "load_before" in m:
        facts.append((LOAD, f"{m['load_before']:.2f}"))
    return facts


def when_words(result):
    moment = result.moment()
    return f"{moment.day} {moment:%B %Y, %H:%M} {moment.tzname()}" if moment else result.when


def rounds_words(result):
    return f"medians of {result.rounds()} rounds" if result.rounds() > 1 else "one round"


def markdown(groups):
    parts = []
    for results in groups:
        newest = results[-1]
        about = [when_words(newest), *machine_words(newest), rounds_words(newest)]
        parts.append(f"### {markdown_escape(newest.name)}")
        parts.append(markdown_escape("; ".join(word for word in about if word)) + "." +
                     " ± is half of what lies between the least round and the most, of a ratio between those of "
                     "rounds." * (newest.rounds() > 1))
        parts.append(markdown_table(results))
        warnings = []
        for _, members in report_data.alike(newest.all_warnings()):
            text, where = members[0]
            warnings.append(f"- Warning: {markdown_escape(text)}" +
                            (f" ({markdown_escape(where_words(where))})" if where else "") +
                            (f", and {len(members) - 1} more of the sort" if len(members) > 1 else ""))
        if warnings:
            parts.append("\n".join(warnings))
    return "\n\n".join(parts) + "\n"


def where_words(where):
    """The runs that gave a warning, some of them when they are many."""
    return "; ".join(where[:4]) + (f"; and {len(where) - 4} more" if len(where) > 4 else "")


def machine_readable(groups):
    """The summary alone, units as in the result files."""
    reports = []
    for result in (result for results in groups for result in results):
        cells = list(result.cells.values())
        figures = findings_figures(cells, result.kinds()) + other_figures(cells)
        figures = list({figure.key: figure for figure in figures}.values())
        rows = []
        for cell in cells:
            row = {"target": cell.target, "step": cell.step, "rounds": cell.rounds(), "figures": {}}
            for figure in figures:
                value, times = figure.read(cell), ratio(result, cell, figure)
                if value is None:
                    continue
                row["figures"][figure.key] = {"median": value.median, "min": value.least, "max": value.most}
                if times is not None:
                    row["figures"][figure.key]["ratio"] = round(times, 6)
                between = ratio_range(result, cell, figure)
                if between:
                    row["figures"][figure.key]["ratio_range"] = [round(one, 6) for one in between]
            rows.append(row)
        reports.append({"file": result.path, "scenario": result.name, "when": result.when, "commit": result.commit(),
                        "base": result.base, "rows": rows, "warnings": [text for text, _ in result.all_warnings()]})
    return {"format": 1, "reports": reports}
