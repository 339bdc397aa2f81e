# SPDX-License-Identifier: Apache-2.0
"""The page: one HTML file that holds all it needs.

Text, tables and their bars are HTML and can be read without JavaScript; only charts are drawn by script.  Whatever comes from
a result file passes text() on its way into HTML and script_json() on its way into the data, and a content security policy names
the two scripts by their digests and allows no request, so that neither a careless line here nor a malicious settings file
makes the page do anything.
"""
import base64
import hashlib
import html
import json
import os
import re

from lab import report_charts as charts
from lab import report_data
from lab import report_table as table
from lab.report_data import Wrong, short_commit

HERE = os.path.dirname(os.path.abspath(__file__))
CHART_JS = "/usr/share/javascript/chart.js/chart.min.js"
CHART_JS_PACKAGE = "libjs-chart.js"
NARROW_SPACE = "\u202f"


def text(value):
    return html.escape(str(value))


def script_json(value):
    """JSON inside a script element: nothing in it can end the element or begin a comment."""
    written = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def chart_library():
    path = os.environ.get("RINGPOST_BENCH_CHART_JS", CHART_JS)
    try:
        with open(path, encoding="utf-8") as f:
            script = f.read()
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}; charts are drawn by Chart.js: install the package "
                    f"{CHART_JS_PACKAGE}") from None
    if re.search(r"</script|<!--", script, re.IGNORECASE):
        raise Wrong(f"{path}: cannot stand inside a page; it contains the end of a script")
    # A map of the source would be asked for over the network by a browser's developer tools.
    return re.sub(r"//# sourceMappingURL=.*", "", script)


def own(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return f.read()


def digits(value):
    return table.digits(value, NARROW_SPACE)


def digest(script):
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"


def head_of(words, figures):
    """The head of a table: words stand left, figures with their unit right."""
    cells = [f'<th scope="col" class="left">{text(word)}</th>' for word in words]
    cells += [f'<th scope="col">{text(figure.title)}<small>{text(figure.unit)}</small></th>' for figure in figures]
    return f'<thead><tr>{"".join(cells)}</tr></thead>'


def table_of(kind, head, bodies):
    return f'<div class="scroll"><table class="{kind}">{head}{bodies}</table></div>'


def folded(summary, content):
    return f"<details><summary>{text(summary)}</summary>{content}</details>"


def left(word):
    return f'<td class="left">{text(word)}</td>'


def joined(*parts):
    return " ".join(part for part in parts if part)


class Page:
    def __init__(self, groups):
        self.groups = groups
        keys = list(dict.fromkeys(key for group in groups for result in group for key in result.keys))
        self.looks = charts.looks(keys)
        self.panels = []  # in the order of their canvases

    def swatch(self, key):
        look = self.looks[key]
        return f'<span class="swatch c{look["slot"]} d{min(look["dash"], 1)}"></span>'

    def who(self, result, key):
        return f'{self.swatch(key)}{text(result.names[key])}'

    # --- the head of a scenario

    def head(self, results, level):
        result = results[-1]
        when = table.when_words(result)
        kicker = " · ".join(text(part) for part in (when, table.rounds_words(result)) if part)
        tool = joined(result.tool.get("version"), short_commit(result.tool.get("commit", "")))
        facts = [*table.machine_facts(result), ("ringpost-bench", tool)]
        facts = "".join(f"<div><dt>{text(name)}</dt><dd>{text(what)}</dd></div>" for name, what in facts if what)
        command = text(" ".join(map(quoted, result.command)))
        command = f'<p class="command"><code>{command}</code></p>' if command else ""
        lead = text(result.scenario.get("description", ""))
        lead = f'<p class="lead">{lead}</p>' if lead else ""
        return (f'<header class="head"><p class="kicker">{kicker}</p><h{level} class="title">{text(result.name)}</h{level}>'
                f'{lead}{command}<dl class="facts">{facts}</dl></header>')

    def tiles(self, result):
        """What the focus reached, and what that is beside each other target."""
        focus = result.focus()
        cells = [cell for (key, _), cell in result.cells.items() if key == focus]
        cell = max(cells, key=lambda c: (c.metric("rate").median if c.metric("rate") else 0))
        kinds = table.main_kinds(result.kinds())
        figures = [table.RATE, table.CPU, *(table.latency(kind, "p99") for kind in kinds), table.SESSION, table.MEMORY]
        tiles = []
        for figure in figures:
            value = figure.read(cell)
            if value is None or len(tiles) == 5:
                continue
            beside = []
            for key in result.keys:
                other = result.cells.get((key, cell.step))
                theirs = figure.read(other) if other and key != focus else None
                if theirs and theirs.median > 0:
                    times = value.median / theirs.median
                    word = "of" if times < 0.995 else "×"
                    beside.append(f'<li>{self.swatch(key)}<b>{table.ratio_digits(times)}</b> {word} '
                                  f'{text(result.names[key])}</li>')
            tiles.append(f'<li class="tile"><p class="what">{text(figure.title)}</p>'
                         f'<p class="big">{digits(value.median / figure.scale)}<span class="unit">{text(figure.unit)}</span></p>'
                         f'<ul>{"".join(beside[:6])}</ul></li>')
        if not tiles:
            return ""
        which = joined(result.targets[focus].get("version"), cell.step and f"({cell.step})")
        return (f'<p class="who">{self.who(result, focus)} <span class="muted">{text(which)}</span></p>'
                f'<ul class="tiles">{"".join(tiles)}</ul>')

    @staticmethod
    def warnings(result):
        found = result.all_warnings()
        if not found:
            return ""
        rows = ""
        for what, members in report_data.alike(found):
            lines = ""
            for words, where in members:
                where = f' <span class="muted">({text(table.where_words(where))})</span>' if where else ""
                lines += f"<li>{text(words)}{where}</li>"
            rows += f"<li>{folded(f'{what}: {len(members)} times', f'<ul>{lines}</ul>')}</li>" if len(members) > 1 else lines
        count = "A warning" if len(found) == 1 else f"{len(found)} warnings"
        return f'<aside class="warnings"><h3>{count}</h3><ul>{rows}</ul></aside>'

    # --- tables

    @staticmethod
    def cell(result, cell, figure, longest):
        value, times = figure.read(cell), table.ratio(result, cell, figure)
        between = table.ratio_range(result, cell, figure)
        if value is None:
            return '<td class="none">–</td>'
        median, least, most = (digits(v / figure.scale) for v in (value.median, value.least, value.most))
        share = 100 * value.median / longest if longest > 0 else 0
        times = f"×{NARROW_SPACE}{table.ratio_digits(times)}" if times is not None else ""
        ratio = f'<span class="ratio">{times}</span>' if result.base else ""
        spread = f'<span class="spread">{least} – {most}</span>' if len(value.each) > 1 else ""
        if between:
            least, most = map(table.ratio_digits, between)
            spread += f'<span class="spread times">×{NARROW_SPACE}{least} – {most}</span>'
        return (f'<td><span class="median">{median}</span>{ratio}<span class="bar"><i style="width:{share:.1f}%"></i></span>'
                f'{spread}</td>')

    def findings(self, result):
        cells = list(result.cells.values())
        figures = table.findings_figures(cells, result.kinds())
        bodies = []
        for step in result.steps:
            at = result.at(step)
            longest = [max((v.median for v in map(figure.read, at) if v), default=0) for figure in figures]
            rows = ""
            for cell in at:
                version = result.targets[cell.target].get("version")
                about = f'<small>{text(version)}</small>' if version else ""
                mark = ' class="base"' if cell.target == result.base else ""
                rows += (f'<tr{mark} data-target="{text(cell.target)}" data-slot="{self.looks[cell.target]["slot"]}">'
                         f'<th scope="row">{self.who(result, cell.target)}{about}</th>')
                rows += "".join(self.cell(result, cell, figure, most) for figure, most in zip(figures, longest)) + "</tr>"
            bodies.append(f"<tbody>{self.step_row(figures, text(step)) if step else ''}{rows}</tbody>")
        words = ["Medians of all rounds; below each the least and the most." if result.rounds() > 1 else "One round."]
        if result.base:
            words.append(f"× is the ratio to {result.names[result.base]}" +
                         (", below it that of single rounds." if result.rounds() > 1 else "."))
        if result.kinds() and result.rounds() > 1:
            words.append("Percentiles are those of all rounds together.")
        return (f'<section><h3>Findings</h3>{table_of("findings", head_of(["target"], figures), "".join(bodies))}'
                f'<p class="note">{text(" ".join(words))}</p></section>')

    @staticmethod
    def step_row(figures, title):
        """A row above those of one step; the title is HTML."""
        return f'<tr class="step"><th colspan="{len(figures) + 1}" scope="rowgroup">{title}</th></tr>'

    def history(self, results):
        """A row for each file, under each target."""
        newest = results[-1]
        cells = [cell for result in results for cell in result.cells.values()]
        figures = table.findings_figures(cells, list(dict.fromkeys(kind for r in results for kind in r.kinds())))
        keys = list(dict.fromkeys(key for result in reversed(results) for key in result.keys))
        steps = list(dict.fromkeys(step for result in results for step in result.steps))
        bodies = ""
        for key in keys:
            for step in steps:
                rows = ""
                held = [(result, result.cells[key, step]) for result in results if (key, step) in result.cells]
                longest = [max((v.median for v in (figure.read(cell) for _, cell in held) if v), default=0)
                           for figure in figures]
                for result, cell in held:
                    rows += (f'<tr data-slot="{self.looks[key]["slot"]}"><th scope="row">{text(result.label())}'
                             f'<small>{text(table.when_words(result))}<br>{text(result.file)}</small></th>')
                    rows += "".join(self.cell(result, cell, figure, most) for figure, most in zip(figures, longest)) + "</tr>"
                name = next(result.names[key] for result in reversed(results) if key in result.names)
                if rows:
                    title = f'{self.swatch(key)}{text(name)}{f" · {text(step)}" if step else ""}'
                    bodies += f"<tbody>{self.step_row(figures, title)}{rows}</tbody>"
        return (f'<section><h3>From file to file</h3>{self.legend(newest, keys)}{self.grid(charts.history(results))}'
                f'{table_of("findings", head_of(["file"], figures), bodies)}<p class="note">Oldest first. × is the ratio to the '
                'base of the same file: what the machine was like that day falls out of it.</p></section>')

    def about(self, result):
        rows = ""
        for key in result.keys:
            about = result.targets[key]
            version = joined(about.get("version"), short_commit(about.get("commit", "")))
            words = "".join(f"<td>{text(word)}</td>" for word in (version, about.get("sync", ""), about.get("note", "")))
            rows += f'<tr><th scope="row">{self.who(result, key)}</th>{words}</tr>'
        head = head_of(["target", "version", "syncs before 250", "note"], [])
        return ('<section><h3>What each makes durable before it says 250</h3>'
                f'{table_of("words", head, f"<tbody>{rows}</tbody>")}</section>')

    def latencies(self, result):
        figures = [table.Figure(name, name.replace("_", "."), "ms", 1000, None) for name in report_data.PERCENTILES]
        rows = ""
        for kind in result.kinds():
            for cell in result.cells.values():
                values = [cell.latency(kind, figure.key) for figure in figures]
                if any(values):
                    rows += (f'<tr><th scope="row">{text(table.kind_name(kind))}</th>{self.step(result, cell.step)}'
                             f'<td class="left">{self.who(result, cell.target)}</td>{self.plain(figures, values)}</tr>')
        head = head_of(["latency", *self.step_word(result), "target"], figures)
        return folded("Latencies as a table", table_of("plain", head, f"<tbody>{rows}</tbody>")) if rows else ""

    # A scenario without steps has no column for them.

    @staticmethod
    def step_word(result):
        return ["step"] if any(result.steps) else []

    @staticmethod
    def step(result, step):
        return left(step) if any(result.steps) else ""

    @staticmethod
    def plain(figures, values):
        return "".join(f"<td>{digits(value.median / figure.scale) if value else '–'}</td>"
                       for figure, value in zip(figures, values))

    def others(self, result):
        cells = list(result.cells.values())
        figures = table.other_figures(cells)
        rows = ""
        for cell in cells:
            rows += (f'<tr><th scope="row">{self.who(result, cell.target)}</th>{self.step(result, cell.step)}'
                     f'{self.plain(figures, [figure.read(cell) for figure in figures])}</tr>')
        head = head_of(["target", *self.step_word(result)], figures)
        return folded("All other figures", table_of("plain", head, f"<tbody>{rows}</tbody>")) if figures else ""

    def rounds(self, result):
        """Every run, so that nobody has to believe a median."""
        cells = list(result.cells.values())
        figures = [figure for figure in (table.RATE, table.CPU, table.MEMORY, *table.ODD) if table.worth_a_column(cells, figure)]
        rows = ""
        for run in result.runs:
            metrics = run.get("metrics", {})
            values = [report_data.Spread([metrics[f.key]]) if f.key in metrics else None for f in figures]
            rows += (f'<tr>{left(digits(run["round"]) if "round" in run else "")}'
                     f'<th scope="row" class="left">{self.who(result, run["target"])}</th>{self.step(result, run.get("step", ""))}'
                     f'{left(run.get("started", ""))}{self.plain(figures, values)}</tr>')
        head = head_of(["round", "target", *self.step_word(result), "started"], figures)
        return folded("Every run", table_of("plain", head, f"<tbody>{rows}</tbody>"))

    # --- charts

    def legend(self, result, keys):
        """Buttons; of a single target there is nothing to tell or to take out."""
        if len(keys) < 2:
            return ""
        names = {key: result.names.get(key, key) for key in keys}
        return '<p class="legend">' + "".join(
            f'<button type="button" data-target="{text(key)}" aria-pressed="true">{self.swatch(key)}{text(name)}</button>'
            for key, name in names.items()) + "</p>"

    def grid(self, panels):
        """Figures with a canvas each; the data goes to the end of the page."""
        figures = ""
        for panel in panels:
            self.panels.append(panel)
            title, unit = text(panel["title"]), text(panel["unit"])
            figures += (f'<figure class="panel"><figcaption>{title} <small>{unit}</small>'
                        '<button type="button" class="log" hidden>log</button></figcaption><div class="plot">'
                        f'<canvas role="img" aria-label="{title}, {unit}: the figures are in the tables of this page"></canvas>'
                        '</div></figure>')
        return f'<div class="grid">{figures}</div>'

    def charts(self, result):
        found = charts.sections(result)
        if not found:
            return ""
        parts = [f'<section class="charts"><h3>{text(title)}</h3><p class="note">{text(words)}</p>{self.grid(panels)}'
                 '</section>'
                 for title, words, panels in found]
        return self.legend(result, result.keys) + "".join(parts)

    # --- the whole

    def settings(self, result):
        parts = [("The scenario", result.scenario.get("text"))]
        parts += [(f"Settings of {result.names[key]}", about.get("settings")) for key, about in result.targets.items()]
        return "".join(folded(title, f"<pre>{text(content)}</pre>") for title, content in parts if content)

    def scenario(self, results, level, anchor):
        result = results[-1]
        names = {key: r.names[key] for r in results for key in r.keys}
        first = len(self.panels)
        body = [self.head(results, level), self.tiles(result), self.warnings(result), self.findings(result),
                self.history(results) if len(results) > 1 else "", self.charts(result), self.about(result),
                '<section class="details"><h3>In detail</h3>', self.latencies(result), self.others(result),
                self.rounds(result), self.settings(result), "</section>"]
        for panel in self.panels[first:]:
            panel["names"] = {series["target"]: names[series["target"]] for series in panel["series"]}
        return f'<article id="{anchor}">{"".join(body)}</article>'

    def contents(self):
        if len(self.groups) < 2:
            return ""
        rows = ""
        for i, group in enumerate(self.groups):
            rows += (f'<li><a href="#s{i}">{text(group[-1].name)}</a> '
                     f'<span class="muted">{text(group[-1].scenario.get("description", ""))}</span></li>')
        return (f'<header class="head"><p class="kicker">ringpost-bench</p><h1 class="title">{len(self.groups)} scenarios</h1>'
                f'<ol class="contents">{rows}</ol></header>')

    def write(self):
        level = 1 if len(self.groups) == 1 else 2
        articles = "".join(self.scenario(group, level, f"s{i}") for i, group in enumerate(self.groups))
        title = self.groups[0][-1].name if level == 1 else f"{len(self.groups)} scenarios"
        library, script = chart_library(), own("report_page.js")
        policy = (f"default-src 'none'; style-src 'unsafe-inline'; script-src {digest(library)} {digest(script)}; "
                  "base-uri 'none'; form-action 'none'")
        data = script_json({"looks": self.looks, "panels": self.panels})
        return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{text(title)} – ringpost-bench</title>
<style>
{own("report_page.css")}</style>
</head>
<body>
<main>{self.contents()}{articles}</main>
<footer><p>Made by <b>ringpost-bench report</b>. Charts: Chart.js (MIT).</p></footer>
<script type="application/json" id="data">{data}</script>
<script>{library}</script>
<script>{script}</script>
</body>
</html>
"""


def quoted(word):
    """A word of a command line as a shell would need it."""
    return word if re.fullmatch(r"[\w@%+=:,./-]+", word) else "'" + word.replace("'", "'\\''") + "'"
