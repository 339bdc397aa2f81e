#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page of a report in a real browser: every chart has drawn every target, nothing failed, nothing was fetched.

A copy of the page is opened, whose content security policy is taken out, so that a request would leave, and to which
probes are added: one that remembers errors from the start on, and one that looks at the canvases at the end.
"""
import html
import json
import os
import re
import shutil
import subprocess
import sys

import laboratory  # noqa: F401
import results
import ringpost
from lab import report, report_page
from ringpost import Skip, expect, expect_equal, expect_in

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

EARS = """<script>
window.troubles = [];
addEventListener("error", (e) => troubles.push(e.message || "could not load " + (e.target.src || e.target.href)), true);
addEventListener("unhandledrejection", (e) => troubles.push(String(e.reason)));
addEventListener("securitypolicyviolation", (e) => troubles.push("policy: " + e.blockedURI));
console.error = (...words) => troubles.push(words.join(" "));
</script>"""

# Of each canvas: how many pixels are drawn, and of which of the palette's colours there are some.
EYES = """<script>
addEventListener("load", () => {
	const style = getComputedStyle(document.documentElement), palette = [];
	for (let i = 0; i < 8; i++) {
		const hex = style.getPropertyValue("--c" + i).trim();
		palette.push([1, 3, 5].map((at) => parseInt(hex.substr(at, 2), 16)));
	}
	const canvases = [...document.querySelectorAll("canvas")].map((canvas) => {
		const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
		let drawn = 0;
		const slots = new Set();
		for (let at = 0; at < pixels.length; at += 4) {
			if (pixels[at + 3] < 8)
				continue;
			drawn++;
			palette.forEach((c, i) => {
				const far = Math.abs(pixels[at] - c[0]) + Math.abs(pixels[at + 1] - c[1]) + Math.abs(pixels[at + 2] - c[2]);
				if (pixels[at + 3] > 200 && far < 24)
					slots.add(i);
			});
		}
		return {title: canvas.getAttribute("aria-label"), drawn, slots: [...slots]};
	});
	const rows = [...document.querySelectorAll(".findings tbody tr[data-target]")].map((row) => row.innerText);
	const seen = document.createElement("pre");
	seen.id = "seen";
	seen.textContent = JSON.stringify({canvases, rows, troubles, title: document.title,
		wide: document.documentElement.scrollWidth - innerWidth, background: getComputedStyle(document.body).backgroundColor});
	document.body.append(seen);
});
</script>"""


def browser():
    for name in BROWSERS:
        if shutil.which(name):
            return name
    raise Skip("no Chromium")


def page_make(rig, *values):
    if not os.path.exists(os.environ.get("RINGPOST_BENCH_CHART_JS", report_page.CHART_JS)):
        raise Skip("no Chart.js")
    paths = [results.write(rig.path(f"r{i}.json"), value) for i, value in enumerate(values)]
    expect_equal(report.main([*paths, "--html", rig.path("page.html")]), 0)
    with open(rig.path("page.html"), encoding="utf-8") as f:
        return f.read()


def look(rig, page, *flags, width=1400, policy=False):
    """Opens a page: (what the probes saw, addresses that were asked for)."""
    if not policy:
        page, count = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
        expect_equal(count, 1, "policies in the page")
        page = page.replace("<head>", "<head>" + EARS, 1).replace("</body>", EYES + "</body>", 1)
    with open(rig.path("seen.html"), "w", encoding="utf-8") as f:
        f.write(page)
    words = [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--disable-component-update", "--disable-dev-shm-usage", f"--user-data-dir={rig.path('profile')}",
             f"--window-size={width},1200", f"--log-net-log={rig.path('net.json')}", "--host-resolver-rules=MAP * ~NOTFOUND",
             "--virtual-time-budget=4000", *flags,
             "--dump-dom", "file://" + os.path.abspath(rig.path("seen.html"))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=ringpost.PATIENCE_S * 2, check=False)
    expect_equal(done.returncode, 0, f"the browser says {done.stderr[-500:]}")
    with open(rig.path("net.json"), encoding="utf-8") as f:
        log = json.load(f)
    asked = {event["params"]["url"] for event in log["events"] if event.get("params", {}).get("url")}
    asked = {url for url in asked if not url.startswith(("file:", "data:", "about:"))}
    if policy:
        return done.stdout, asked
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    expect(found, "the page did not come to its end")
    return json.loads(html.unescape(found.group(1))), asked


def panels_of(page):
    data = page[page.index('id="data">') + 10:]
    return json.loads(data[:data.index("</script>")])


def faults(page, seen, asked):
    """What is wrong with a page, in words."""
    data = panels_of(page)
    found = [f"script: {trouble}" for trouble in seen["troubles"]] + [f"asked for {url}" for url in sorted(asked)]
    if len(seen["canvases"]) != len(data["panels"]):
        found.append(f"{len(seen['canvases'])} canvases for {len(data['panels'])} panels")
    for canvas, panel in zip(seen["canvases"], data["panels"]):
        wanted = {data["looks"][series["target"]]["slot"] for series in panel["series"]}
        if not canvas["drawn"]:
            found.append(f"{canvas['title']}: blank")
        elif wanted - set(canvas["slots"]):
            found.append(f"{canvas['title']}: colours {sorted(wanted - set(canvas['slots']))} are missing")
    return found


def five():
    value = results.result(targets=tuple(results.SERVERS), rounds=3, values=400)
    value["runs"][1]["warnings"] = ["the sink was the bottleneck"]
    return value


def charts_draw(rig):
    value = five()
    page = page_make(rig, value)
    seen, asked = look(rig, page)
    expect_equal(faults(page, seen, asked), [])
    expect(len(seen["canvases"]) >= 8, f"{len(seen['canvases'])} charts")
    expect_equal(len(seen["rows"]), 5, "rows of the findings")
    for key, row in zip(results.SERVERS, seen["rows"]):
        rates = sorted(run["metrics"]["rate"] for run in value["runs"] if run["target"] == key)
        expect_in(report_page.digits(rates[1]), row)
        expect_in(results.SERVERS[key][0], row)
    expect(seen["wide"] <= 0, "the page is wider than its window")


def steps_and_files_draw(rig):
    """A chapter with steps and events, and one of three files; on a telephone, in the dark."""
    stepped = results.result(steps=("25 %", "50 %"), rounds=2, values=300, name="latency", end_to_end=True)
    for run in stepped["runs"]:
        run["events"] = [{"s": 5, "do": "restart"}]
    history = [results.result(seed=i, rounds=2, values=200, commit=str(i) * 40, when=f"2026-11-2{i}T10:00:00+00:00")
               for i in range(3)]
    page = page_make(rig, stepped, *history)
    seen, asked = look(rig, page, "--blink-settings=preferredColorScheme=0", width=420)
    expect_equal(faults(page, seen, asked), [])
    expect("255" not in seen["background"], f"dark, not {seen['background']}")
    expect(seen["wide"] <= 0, "the page is wider than its window")


def as_it_is(rig):
    """Under its own policy: the charts draw all the same, and what a settings file would like to run does not."""
    value = five()
    hostile = ("</pre></script><script>document.title = 'taken'</script>"
               "<img src=http://192.0.2.1/x onerror=\"document.title='taken'\">")
    for about in value["targets"].values():
        about["settings"] = about["name"] = hostile
    value["scenario"]["text"] = hostile
    page = page_make(rig, value)
    dom, asked = look(rig, page, policy=True)
    expect_equal(asked, set())
    expect_in("<title>accept", dom)
    expect(re.search(r'<html[^>]* class="js"', dom), "our script ran")
    expect("trouble" not in re.sub(r"<(style|script).*?</\1>", "", dom, flags=re.DOTALL), "and had no trouble")


def blindness_is_noticed(rig):
    """The test itself: a chart that does not draw, an error and a request are each found."""
    page = page_make(rig, results.result(rounds=2, values=200))
    breaks = {
        "blank": page.replace("=> draw(canvas, data.panels[i])", "=> i && draw(canvas, data.panels[i])"),
        "colours": page.replace("share: (panel) => panel.series.map", "share: (panel) => panel.series.slice(1).map"),
        "script: ": page.replace("const NARROW", "nobodyKnowsThis(); const NARROW"),
        "asked for": page.replace("</main>", '<img src="http://192.0.2.1/x.png" alt=""></main>'),
    }
    for wanted, broken in breaks.items():
        expect(broken != page, f"{wanted}: nothing was broken")
        seen, asked = look(rig, broken)
        expect(any(wanted in fault for fault in faults(page, seen, asked)), f"{wanted}: {faults(page, seen, asked)}")


if __name__ == "__main__":
    sys.exit(ringpost.main(charts_draw, steps_and_files_draw, as_it_is, blindness_is_noticed))
