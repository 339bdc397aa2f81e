// SPDX-License-Identifier: Apache-2.0
// Draws the panels of report_charts.py, whose comment says what they hold, into the canvases of the page, in order.
(() => {
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const SHAPES = ["circle", "rectRot", "triangle", "rect", "star", "crossRot", "cross", "circle"];
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
const NARROW = 430; // below, names at the ends of lines would leave no room for the lines
const charts = [];

function fail(error) {
	const note = document.createElement("p");
	note.className = "trouble";
	note.textContent = "The charts could not be drawn: " + error + ". The tables are complete.";
	document.querySelector("main").prepend(note);
}

if (!window.Chart) {
	fail("Chart.js is missing");
	return;
}
root.classList.add("js");

// Colours are the style sheet's, so that both schemes and print have theirs.
const style = (name) => getComputedStyle(root).getPropertyValue(name).trim();
const colour = (target) => style("--c" + data.looks[target].slot);
const faint = (hex) => hex + "2e";
const dash = (target) => {
	const look = data.looks[target];
	return look.slot === 7 ? [5, 3] : DASHES[look.dash % DASHES.length];
};

function digits(value) {
	if (value === 0)
		return "0";
	const size = Math.abs(value);
	if (size >= 1000) // a narrow space between thousands
		return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
	return String(Number(value.toPrecision(3)));
}

const shareWords = (x) => {
	const percent = 100 * (1 - 10 ** -x);
	return (x > 2 ? percent.toFixed(Math.max(0, Math.round(x) - 2)) : percent.toFixed(percent % 1 > 0.05 ? 1 : 0)) + " %";
};

// A line of a series, from points whose x and y stand at the given places.
const line = (series, points, more) => ({
	target: series.target, data: points, borderColor: colour(series.target), backgroundColor: colour(series.target),
	borderWidth: data.looks[series.target].slot === 7 ? 1.6 : 2.2, borderDash: dash(series.target),
	pointRadius: 0, pointHitRadius: 8, pointStyle: SHAPES[data.looks[series.target].slot], tension: 0, ...more,
});

const KINDS = {
	time(panel) {
		const sets = [];
		for (const s of panel.series) {
			sets.push(line(s, s.points.map(([x, y]) => ({x, y})), {main: true}));
			if (!s.points.some((p) => p[2] < p[3]))
				continue;
			const edge = {borderWidth: 0, pointHitRadius: 0, backgroundColor: faint(colour(s.target)), band: true};
			sets.push(line(s, s.points.map((p) => ({x: p[0], y: p[2]})), {...edge, fill: "+1"}));
			sets.push(line(s, s.points.map((p) => ({x: p[0], y: p[3]})), {...edge, fill: false}));
		}
		return sets;
	},
	share: (panel) => panel.series.map((s) => line(s, s.points.map(([x, y]) => ({x, y})), {main: true, stepped: false})),
	category: (panel) => panel.series.map((s) => line(s, s.points.map((p, x) => p ? {x, y: p[0]} : {x, y: null}), {
		main: true, pointRadius: 4, ranges: s.points.map((p) => p && [p[1], p[2]]), spanGaps: true})),
	dots: (panel) => panel.series.map((s) => line(s, s.points.map(([x, y]) => ({x, y})), {
		showLine: false, pointRadius: 4, borderWidth: 1.4, backgroundColor: faint(colour(s.target)), medians: s.medians})),
};

// What Chart.js does not draw: names at the ends of lines, whiskers, medians, the scenario's events.
const marks = {
	id: "marks",
	beforeDatasetsDraw(chart) {
		const {ctx, scales: {x, y}, chartArea} = chart;
		if (chart.panel.warm_up) {
			const end = Math.min(x.getPixelForValue(chart.panel.warm_up), chartArea.right);
			ctx.save();
			ctx.fillStyle = style("--grid");
			ctx.fillRect(chartArea.left, chartArea.top, end - chartArea.left, chartArea.bottom - chartArea.top);
			ctx.restore();
		}
		for (const [s, what] of chart.panel.events || []) {
			const at = x.getPixelForValue(s);
			if (at < chartArea.left || at > chartArea.right)
				continue;
			ctx.save();
			ctx.strokeStyle = ctx.fillStyle = style("--muted");
			ctx.setLineDash([2, 3]);
			ctx.beginPath();
			ctx.moveTo(at, chartArea.top);
			ctx.lineTo(at, chartArea.bottom);
			ctx.stroke();
			ctx.font = "11px " + style("--sans");
			ctx.textAlign = at > (chartArea.left + chartArea.right) / 2 ? "right" : "left";
			ctx.fillText(what, at + (ctx.textAlign === "right" ? -4 : 4), chartArea.top + 10);
			ctx.restore();
		}
		chart.data.datasets.forEach((set, i) => {
			if (!chart.isDatasetVisible(i))
				return;
			ctx.save();
			ctx.strokeStyle = set.borderColor;
			ctx.lineWidth = 1.4;
			(set.ranges || []).forEach((range, at) => {
				if (!range || !(range[0] < range[1]))
					return;
				ctx.beginPath();
				ctx.moveTo(x.getPixelForValue(at), y.getPixelForValue(range[0]));
				ctx.lineTo(x.getPixelForValue(at), y.getPixelForValue(range[1]));
				ctx.stroke();
			});
			ctx.lineWidth = 2.5;
			for (const [at, value, width] of set.medians || []) {
				const half = width / 2;
				ctx.beginPath();
				ctx.moveTo(x.getPixelForValue(at - half) - 9, y.getPixelForValue(value));
				ctx.lineTo(x.getPixelForValue(at + half) + 9, y.getPixelForValue(value));
				ctx.stroke();
			}
			ctx.restore();
		});
	},
	afterDatasetsDraw(chart) {
		if (chart.width < NARROW)
			return;
		const {ctx, chartArea} = chart;
		const ends = [];
		chart.data.datasets.forEach((set, i) => {
			const points = set.main && chart.isDatasetVisible(i) ? chart.getDatasetMeta(i).data.filter((p) => !p.skip) : [];
			const last = points[points.length - 1];
			if (last)
				ends.push({y: Math.min(Math.max(last.y, chartArea.top + 4), chartArea.bottom - 4), x: last.x, set});
		});
		// Names keep their distance: pushed down from the top, then up from the bottom.
		ends.sort((a, b) => a.y - b.y);
		ends.forEach((end, i) => { if (i) end.y = Math.max(end.y, ends[i - 1].y + 14); });
		for (let i = ends.length - 1, low = chartArea.bottom + 4; i >= 0; i--, low -= 14)
			ends[i].y = Math.min(ends[i].y, low);
		ctx.save();
		ctx.font = "600 12px " + style("--sans");
		ctx.textBaseline = "middle";
		for (const end of ends) {
			ctx.fillStyle = end.set.borderColor;
			ctx.fillText(shortened(chart.panel.names[end.set.target], 16), Math.max(end.x, chartArea.right - 30) + 7, end.y);
		}
		ctx.restore();
	},
};

const shortened = (name, most) => name.length > most ? name.slice(0, most - 1) + "…" : name;

function room(panel, width) {
	if (panel.kind === "dots" || width < NARROW)
		return 8;
	const longest = Math.max(...panel.series.map((s) => Math.min(panel.names[s.target].length, 16)));
	return 14 + 7.2 * longest;
}

function axisX(panel) {
	const axis = {type: "linear", grid: {color: style("--grid"), drawTicks: false}, border: {display: false},
		ticks: {color: style("--muted"), maxRotation: 0, padding: 6}, title: {display: true, color: style("--muted")}};
	if (panel.kind === "time") {
		axis.title.text = "seconds";
		axis.min = 0;
		axis.max = Math.max(...panel.series.map((s) => s.points[s.points.length - 1][0]));
		axis.ticks.precision = 0;
		axis.ticks.includeBounds = false;
	} else if (panel.kind === "share") {
		const most = Math.max(...panel.series.map((s) => s.points[s.points.length - 1][0]));
		axis.title.text = "share of messages";
		axis.min = 0;
		axis.max = most;
		const wanted = [0.30103, 1, 2, 3, 4, 5, 6, 7, 8].filter((x) => x <= most);
		axis.afterBuildTicks = (scale) => { scale.ticks = wanted.map((value) => ({value})); };
		axis.ticks.callback = shareWords;
		axis.ticks.autoSkip = false;
	} else {
		axis.min = panel.kind === "dots" ? -0.5 : -0.15;
		axis.max = panel.labels.length - (panel.kind === "dots" ? 0.5 : 0.85);
		axis.title.display = false;
		axis.grid.display = false;
		axis.afterBuildTicks = (scale) => { scale.ticks = panel.labels.map((_, value) => ({value})); };
		axis.ticks.callback = (value) => shortened(panel.labels[value], Math.max(12, Math.floor(64 / panel.labels.length)));
		axis.ticks.autoSkip = panel.labels.length > 8;
		axis.ticks.maxRotation = 40;
	}
	return axis;
}

// Of a logarithmic axis 1, 2 and 5 of each power are named, and only the powers when there are many.
function nameLog(value, index, ticks) {
	const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
	const first = Math.round(value / power);
	const span = Math.log10(ticks[ticks.length - 1].value / ticks[0].value);
	return first === 1 || (span < 3.2 && (first === 2 || first === 5)) ? digits(value) : "";
}

function axisY(panel) {
	const axis = {type: panel.log ? "logarithmic" : "linear",
		grid: {color: style("--grid"), drawTicks: false}, border: {display: false},
		ticks: {color: style("--muted"), padding: 8, callback: panel.log ? nameLog : digits, maxTicksLimit: panel.log ? 40 : 7},
		title: {display: true, text: panel.unit + (panel.log ? ", logarithmic" : ""), color: style("--muted")}};
	if (panel.kind === "dots") { // alike for all, and never so narrow that a ripple looks like a wave
		const most = Math.max(5, ...panel.series.flatMap((s) => s.points.map((p) => Math.abs(p[1])))) * 1.1;
		axis.min = -most;
		axis.max = most;
		axis.ticks.includeBounds = false;
		axis.ticks.callback = (value) => (value > 0 ? "+" : "") + digits(value);
	} else {
		if (panel.kind === "category") { // room for the whiskers
			const points = panel.series.flatMap((s) => s.points.filter(Boolean));
			axis.suggestedMin = Math.min(...points.map((p) => p[1]));
			axis.suggestedMax = Math.max(...points.map((p) => p[2]));
		}
		axis.beginAtZero = !panel.log;
	}
	return axis;
}

function tooltip(panel) {
	return {
		mode: panel.kind === "dots" ? "nearest" : "index", intersect: panel.kind === "dots", axis: "x",
		filter: (item) => !item.dataset.band,
		itemSort: (a, b) => b.parsed.y - a.parsed.y,
		callbacks: {
			title: (items) => !items.length ? "" : panel.kind === "time" ? "second " + digits(items[0].parsed.x) :
				panel.kind === "share" ? shareWords(items[0].parsed.x) : panel.labels[Math.round(items[0].parsed.x)],
			label(item) {
				const range = (item.dataset.ranges || [])[item.dataIndex];
				return ` ${panel.names[item.dataset.target]}: ${digits(item.parsed.y)} ${panel.unit}` +
					(range && range[0] < range[1] ? ` (${range.map(digits).join(" to ")})` : "");
			},
		},
	};
}

function dress(chart) {
	const panel = chart.panel;
	chart.data.datasets = KINDS[panel.kind](panel);
	for (const set of chart.data.datasets)
		set.hidden = chart.hiddenTargets.has(set.target);
	chart.options.scales = {x: axisX(panel), y: axisY(panel)};
	chart.options.layout.padding.right = room(panel, chart.width);
}

function draw(canvas, panel) {
	const chart = new Chart(canvas, {
		type: panel.kind === "dots" ? "scatter" : "line",
		data: {datasets: KINDS[panel.kind](panel)},
		plugins: [{id: "panel", beforeInit(c) { c.panel = panel; c.hiddenTargets = new Set(); }}, marks],
		options: {
			animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
			layout: {padding: {top: 6, right: room(panel, canvas.parentNode.clientWidth)}},
			scales: {x: axisX(panel), y: axisY(panel)},
			interaction: {mode: panel.kind === "dots" ? "nearest" : "index", intersect: false, axis: "x"},
			plugins: {legend: {display: false}, tooltip: tooltip(panel)},
			onResize(c, size) { c.options.layout.padding.right = room(panel, size.width); },
		},
	});
	charts.push(chart);
	const values = panel.series.flatMap((s) => s.points.filter(Boolean).map((p) => p[panel.kind === "category" ? 0 : 1]));
	const button = canvas.closest("figure").querySelector(".log");
	button.hidden = panel.kind === "dots" || !values.length || Math.max(...values) <= 0;
	button.setAttribute("aria-pressed", Boolean(panel.log));
	button.addEventListener("click", () => {
		panel.log = !panel.log;
		button.setAttribute("aria-pressed", panel.log);
		dress(chart);
		chart.update("none");
	});
}

function redress() {
	Chart.defaults.font.family = style("--sans");
	Chart.defaults.color = style("--muted");
	for (const chart of charts) {
		dress(chart);
		chart.update("none");
	}
}

try {
	Chart.defaults.font.family = style("--sans");
	Chart.defaults.font.size = 12;
	document.querySelectorAll("canvas").forEach((canvas, i) => draw(canvas, data.panels[i]));
} catch (error) {
	fail(error.message);
	throw error;
}

// A name of a legend takes its target out of all charts of its scenario.
for (const button of document.querySelectorAll(".legend button")) {
	button.addEventListener("click", () => {
		const article = button.closest("article"), target = button.dataset.target;
		const shown = button.getAttribute("aria-pressed") !== "true";
		for (const one of article.querySelectorAll(".legend button"))
			if (one.dataset.target === target)
				one.setAttribute("aria-pressed", shown);
		for (const chart of charts.filter((c) => article.contains(c.canvas))) {
			chart.hiddenTargets[shown ? "delete" : "add"](target);
			dress(chart);
			chart.update("none");
		}
	});
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redress);

// On paper the colours are the light ones, and lines as fine as paper bears.
function printing(on) {
	root.classList.toggle("printing", on);
	redress();
	for (const chart of charts) {
		chart.options.devicePixelRatio = on ? 3 : window.devicePixelRatio;
		chart.resize();
	}
}
addEventListener("beforeprint", () => printing(true));
addEventListener("afterprint", () => printing(false));
})();
