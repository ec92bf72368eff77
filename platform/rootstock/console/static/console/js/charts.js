// Draws chart cards from the JSON beside them. ECharts is fetched only on a page that has one; without it, or without
// scripts, the card shows its table.
import { palette } from "./colours.js";
import { within } from "./dom.js";
import { moment, number } from "./times.js";

const TONES = ["accent", "info", "violet", "warn", "error", "ok"];
let library;

function loadLibrary() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.querySelector('meta[name="echarts"]').content;
    script.onload = () => resolve(window.echarts);
    script.onerror = () => reject(new Error("ECharts did not load"));
    document.head.append(script);
  });
  return library;
}

function seriesOption(series, index, kind, colours) {
  const colour = colours[series.tone || TONES[index % TONES.length]];
  const bars = kind === "bar" || kind === "rows" || kind === "stacked";
  return {
    name: series.name,
    data: series.values,
    type: bars ? "bar" : "line",
    stack: kind === "stacked" ? "all" : undefined,
    itemStyle: { color: colour, borderRadius: kind === "rows" ? [0, 2, 2, 0] : kind === "bar" ? [2, 2, 0, 0] : 0 },
    lineStyle: { width: 1.75, color: colour, type: index % 3 === 1 ? "dashed" : index % 3 === 2 ? "dotted" : "solid" },
    areaStyle: kind === "area" ? { color: colour, opacity: 0.12 } : undefined,
    barMaxWidth: 28,
    showSymbol: series.values.filter((value) => value != null).length <= 12, // few points: show that they are measurements
    symbolSize: 5,
    connectNulls: series.sparse,
  };
}

// A line's axis does not start at 0, yet a wobble must not look like a cliff: it spans at least a tenth of the values'
// size, ends on round figures, and counts in whole ones where the values are whole.
function lineAxis(series) {
  const values = series.flatMap((one) => one.values).filter((value) => value != null);
  if (!values.length) return {};
  const least = Math.min(...values);
  const most = Math.max(...values);
  const whole = values.every(Number.isInteger);
  const span = Math.max(most - least, Math.max(Math.abs(least), Math.abs(most)) / 10, whole ? 4 : 0) || 1;
  const raw = span / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const round = [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999) * power;
  const interval = whole ? Math.max(1, Math.round(round)) : round;
  const middle = (least + most) / 2;
  const tidy = (value) => Number(value.toPrecision(12)); // 0.1 + 0.2
  const min = tidy(Math.floor((middle - span / 2) / interval + 1e-9) * interval);
  const max = tidy(Math.ceil((middle + span / 2) / interval - 1e-9) * interval);
  return { min: least >= 0 ? Math.max(0, min) : min, max: max > min ? max : min + interval, interval };
}

// Names below bars are broken over lines, so that a phone too shows every one of them; more than a dozen give way where
// they would overlap, as the points of a line do.
function labelsBelow(spec, width) {
  const long = spec.labels.some((label) => label.length > 6);
  if (spec.kind === "bar" && long && spec.labels.length <= 12) {
    return { interval: 0, width: Math.max(36, (width - 72) / spec.labels.length - 6), overflow: "break" };
  }
  return {
    hideOverlap: true,
    ...(spec.moments && { formatter: (label) => label.replace(/ \d{4},/, ",") }),
    ...(long && { alignMinLabel: "left", alignMaxLabel: "right" }),
  };
}

// Names beside rows have two fifths of the width. What is longer is broken over lines; of more than a dozen, which have
// room for one line, it is cut, and whole in the tooltip and the table.
function labelsBeside(spec, width) {
  const broken = spec.labels.length <= 14;
  return { interval: 0, width: Math.max(80, width * 0.4), overflow: broken ? "breakAll" : "truncate", lineHeight: 13 };
}

function option(spec, colours, width) {
  const lying = spec.kind === "rows";
  const text = { color: colours["text-2"], fontSize: 11, fontFamily: getComputedStyle(document.body).fontFamily };
  const legend = spec.series.length > 1;
  const names = {
    type: "category",
    data: spec.moments ? spec.labels.map((label) => moment(new Date(label))) : spec.labels,
    boundaryGap: lying || spec.kind === "bar" || spec.kind === "stacked",
    inverse: lying,
    axisLabel: { ...text, ...(lying ? labelsBeside(spec, width) : labelsBelow(spec, width)) },
    axisLine: { lineStyle: { color: colours.line } },
    axisTick: { show: false },
  };
  const values = {
    type: "value",
    ...(spec.kind === "line" ? lineAxis(spec.series) : {}),
    axisLabel: { ...text, ...(lying && { hideOverlap: true }) },
    splitLine: { lineStyle: { color: colours.line } },
  };
  return {
    animation: false,
    textStyle: text,
    grid: { left: 8, right: 24, top: legend ? 32 : 14, bottom: 4, containLabel: true },
    legend: legend ? { top: 0, left: 4, itemWidth: 18, itemHeight: 8, textStyle: text } : undefined,
    // Drawn on the canvas: an HTML tooltip would need inline styles, which the page's policy refuses.
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      confine: true,
      backgroundColor: colours.surface,
      borderColor: colours.line,
      textStyle: { ...text, color: colours.text, fontSize: 12 },
      valueFormatter: (value) => (value == null ? "–" : `${number(value)}${spec.unit ? ` ${spec.unit}` : ""}`),
    },
    xAxis: lying ? values : names,
    yAxis: lying ? names : values,
    series: spec.series.map((series, index) => seriesOption(series, index, spec.kind, colours)),
  };
}

async function mountChart(card) {
  const echarts = await loadLibrary();
  const canvas = card.querySelector("[data-chart-canvas]");
  const table = card.querySelector("[data-chart-table]");
  const toggle = card.querySelector("[data-chart-toggle]");
  const spec = JSON.parse(document.getElementById(card.dataset.chart).textContent);
  // A live part that is swapped keeps its canvas (hx-preserve), and with it the drawing and the choice of view.
  const kept = echarts.getInstanceByDom(canvas);
  if (!kept) canvas.hidden = false;
  table.hidden = !canvas.hidden;
  const chart = kept ?? echarts.init(canvas, null, { renderer: "canvas" });
  canvas.spec = spec;
  const draw = () => chart.setOption(option(canvas.spec, palette(canvas), canvas.clientWidth), true);
  draw();
  if (!kept) {
    document.addEventListener("console:theme", draw);
    new ResizeObserver(() => {
      if (canvas.hidden) return;
      chart.resize();
      if (canvas.spec.kind === "bar" || canvas.spec.kind === "rows") draw();
    }).observe(canvas);
  }
  offerDownloads(card, chart);
  toggle.hidden = false;
  toggle.setAttribute("aria-pressed", String(!table.hidden));
  toggle.addEventListener("click", () => {
    table.hidden = !table.hidden;
    canvas.hidden = !table.hidden;
    toggle.setAttribute("aria-pressed", String(!table.hidden));
  });
}

function download(name, href) {
  const link = Object.assign(document.createElement("a"), { href, download: name });
  link.click();
}

// A cell that a spreadsheet would run as a formula gets an apostrophe in front, as in the tables' own files.
function csvCell(text) {
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

function csvOf(table) {
  const rows = [...table.querySelectorAll("tr")].map((row) => [...row.cells].map((cell) => csvCell(cell.textContent.trim())).join(","));
  return `\ufeff${rows.join("\r\n")}`;
}

function offerDownloads(card, chart) {
  const title = card.querySelector("h2").textContent.trim().toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  for (const button of card.querySelectorAll("[data-chart-save]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      if (button.dataset.chartSave === "png") {
        const background = palette(card).surface;
        return download(`${title}.png`, chart.getDataURL({ pixelRatio: 2, backgroundColor: background }));
      }
      const url = URL.createObjectURL(new Blob([csvOf(card.querySelector("[data-chart-table]"))], { type: "text/csv" }));
      download(`${title}.csv`, url);
      URL.revokeObjectURL(url);
    });
  }
}

export function mountCharts(root) {
  for (const card of within(root, "[data-chart]:not([data-mounted])")) {
    card.dataset.mounted = "";
    mountChart(card).catch((error) => console.warn(error.message));
  }
}
