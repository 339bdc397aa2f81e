# SPDX-License-Identifier: Apache-2.0
"""What the charts draw, as data: panels in sections.  report_page.js draws them and knows nothing of result files.

A panel has a kind, a title, a unit and series, one for each target:

  time      points [second, median, least, most]; a line in a band
  share     points [-log10(1 - percent / 100), value]; a percentile plot, values logarithmic
  category  points [value, least, most] or null for each of the panel's labels; a line with whiskers
  dots      points [position, value], one for each round; medians [position, value, width]

Values are in the panel's unit.  A target has the same colour and dash in every panel, page and report: the well known ones
are fixed, others take what is free.
"""
import math

from lab import report_table as table
from lab.report_data import curve

# Slots of the palette in report_page.css.  The yardstick is grey, so that it stands back.
FIXED = {"ringpost": 0, "postfix": 1, "exim": 2, "opensmtpd": 3, "floor": 7}
FREE = (0, 1, 2, 3, 4, 5, 6)

TIMELINES = (
    ("messages", "Messages", "messages/s", 1),
    ("target_cores", "Processor time of the target", "cores", 1),
    ("target_rss_octets", "Resident memory of the target", "MiB", 1 << 20),
    ("p99_us", "Latency, p99 of each second", "ms", 1000),
    ("queue", "Messages in the queue", "messages", 1),
    ("errors", "Errors", "messages/s", 1),
)


def looks(keys):
    """{target: {"slot": colour and point shape, "dash": number}}; past the palette, dashes tell apart.

    A target from another directory is NAME@DIRECTORY; the first of a name has the name's colour."""
    found, rest = {}, []
    for key in keys:
        slot = FIXED.get(key.split("@")[0])
        if slot is None or any(look["slot"] == slot for look in found.values()):
            rest.append(key)
        else:
            found[key] = {"slot": slot, "dash": 0}
    free = [slot for slot in FREE if all(look["slot"] != slot for look in found.values())]
    for i, key in enumerate(rest):
        found[key] = {"slot": free[i], "dash": 0} if i < len(free) else \
            {"slot": FREE[(i - len(free)) % len(FREE)], "dash": 1 + (i - len(free)) // len(FREE)}
    return found


def capital(words):
    return words[:1].upper() + words[1:]


def number(value):
    """Short in the page: five significant digits."""
    return float(f"{value:.5g}") if value else 0


def far_apart(panel):
    """Do the values span so much that the small ones would lie on the axis?"""
    values = [point[0] for series in panel["series"] for point in series["points"] if point]
    return bool(values) and min(values) > 0 and max(values) > 12 * min(values)


def time_panels(result, step):
    panels = []
    events = list(dict.fromkeys(event for cell in result.at(step) for event in cell.events()))[:20]
    for key, title, unit, scale in TIMELINES:
        series = []
        for cell in result.at(step):
            points = cell.timeline(key)
            if len(points) > 2:
                series.append({"target": cell.target,
                               "points": [[s, *(number(v / scale) for v in values)] for s, *values in points]})
        if series and (key not in ("errors", "queue") or any(p[3] for one in series for p in one["points"])):
            panels.append({"kind": "time", "title": title, "unit": unit, "series": series, "events": events,
                           "warm_up": result.scenario.get("warm_up_s", 0)})
    return panels


def share_panel(result, step, kind):
    series = []
    for cell in result.at(step):
        points = curve(*cell.buckets(kind))
        if len(points) > 1:
            series.append({"target": cell.target,
                           "points": [[round(-math.log10(1 - p / 100), 4), number(v / 1000)] for p, v in points if v > 0]})
    series = [one for one in series if one["points"]]
    if not series:
        return None
    return {"kind": "share", "title": capital(table.kind_name(kind)), "unit": "ms", "series": series, "log": True}


def step_panel(result, figure):
    series = []
    for key in result.keys:
        points = []
        for step in result.steps:
            cell = result.cells.get((key, step))
            value = figure.read(cell) if cell else None
            points.append(value and [number(v / figure.scale) for v in (value.median, value.least, value.most)])
        if any(points):
            series.append({"target": key, "points": points})
    return category(figure, result.steps, series)


def category(figure, labels, series, **more):
    if not series:
        return None
    panel = {"kind": "category", "title": capital(figure.title), "unit": figure.unit, "labels": labels,
             "series": series, **more}
    panel["log"] = far_apart(panel)
    return panel


def dots_panel(result, figure):
    """Rounds as dots, side by side for targets, steps next to one another.  Each lies as far from the median of its own as it
    differs from it: the values themselves span too much for the differences to be seen."""
    several = len(result.steps) > 1
    labels = result.steps if several else [result.names[key] for key in result.keys]
    series = []
    for i, key in enumerate(result.keys):
        points, medians = [], []
        for j, step in enumerate(result.steps):
            cell = result.cells.get((key, step))
            value = figure.read(cell) if cell else None
            if value is None or not value.median > 0:
                continue
            at = j + (i - (len(result.keys) - 1) / 2) * 0.8 / len(result.keys) if several else i
            width = 0.5 if not several else 0.5 / len(result.keys)
            count = len(value.each)
            for n, each in enumerate(value.each):
                # In the order of the rounds, from left to right: a drift shows.
                shift = (n / (count - 1) - 0.5) * width if count > 1 else 0
                points.append([round(at + shift, 4), number(100 * (each / value.median - 1))])
            medians.append([round(at, 4), 0, round(width, 4)])
        if points:
            series.append({"target": key, "points": points, "medians": medians})
    return {"kind": "dots", "title": capital(figure.title), "unit": "% from the median", "labels": labels, "series": series,
            "log": False} if series else None


def key_figures(result):
    """What one asks first: rate, cost, and latency of the first kind."""
    figures = [table.RATE, table.CPU]
    for kind in table.main_kinds(result.kinds())[:1]:
        figures += [table.latency(kind, "p50"), table.latency(kind, "p99")]
    figures.append(table.SESSION)
    cells = list(result.cells.values())
    return [figure for figure in figures if table.worth_a_column(cells, figure)]


def sections(result):
    """[(title, explanation, [panel])] of one result, in the order of the page."""
    found = []
    for step in result.steps:
        found.append(("Over time" + (f": {step}" if step else ""),
                      "From the first second to the last whole one" +
                      ("; the warm-up is shaded." if result.scenario.get("warm_up_s") else ".") +
                      " The line is the median of the rounds, the band goes from the least to the most." * (result.rounds() > 1),
                      time_panels(result, step)))
    shares = []
    for kind in result.kinds():
        for step in result.steps:
            panel = share_panel(result, step, kind)
            if panel:
                panel["title"] += f", {step}" if step else ""
                shares.append(panel)
    found.append(("Latency", "How long the given share of messages took at most; each step to the right is ten times rarer." +
                  " All rounds together." * (result.rounds() > 1), shares))
    if len(result.steps) > 1:
        figures = key_figures(result)
        for kind in table.main_kinds(result.kinds())[1:]:
            figures += [table.latency(kind, "p50"), table.latency(kind, "p99")]
        found.append(("By step", "Medians; whiskers go from the least round to the most.",
                      [panel for panel in (step_panel(result, figure) for figure in figures) if panel]))
    if result.rounds() > 1:
        found.append(("Every round", "A dot is a round, in their order from left to right, and how far it lies from the median "
                      "of its target.",
                      [panel for panel in (dots_panel(result, figure) for figure in key_figures(result)) if panel]))
    return [section for section in found if section[2]]


def history(results):
    """Panels of one scenario over several files."""
    labels = [result.label() for result in results]
    keys = list(dict.fromkeys(key for result in results for key in result.keys))
    steps = list(dict.fromkeys(step for result in results for step in result.steps))
    panels = []
    for step in steps:
        for figure in key_figures(results[-1]):
            series = []
            for key in keys:
                points = []
                for result in results:
                    cell = result.cells.get((key, step))
                    value = figure.read(cell) if cell else None
                    points.append(value and [number(v / figure.scale) for v in (value.median, value.least, value.most)])
                if any(points):
                    series.append({"target": key, "points": points})
            panel = category(figure, labels, series)
            if panel:
                panel["title"] += f", {step}" if step else ""
                panels.append(panel)
        panel = ratio_history(results, keys, labels, step)
        if panel:
            panels.append(panel)
    return panels


def ratio_history(results, keys, labels, step):
    """The rate as a ratio to the base: what the machine was like that day falls out."""
    base = results[-1].base
    series = []
    for key in keys:
        points = []
        for result in results:
            cell = result.cells.get((key, step))
            times = table.ratio(result, cell, table.RATE) if cell and result.base == base else None
            points.append(times and [number(times)] * 3)
        if any(points):
            series.append({"target": key, "points": points})
    if not base or not series:
        return None
    panel = category(table.RATE, labels, series)
    panel["title"], panel["unit"] = "Rate, as a ratio" + (f", {step}" if step else ""), f"to {results[-1].names[base]}"
    return panel
