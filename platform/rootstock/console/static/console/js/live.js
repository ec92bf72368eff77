// Live series on uPlot: drawn once, then only given new numbers each time the part around them renews itself.
import { palette } from "./colours.js";
import { clock, number } from "./times.js";

const TONES = ["accent", "warn", "info", "violet", "high", "ok", "error"];
const charts = new Map();
let library;

function loadLibrary() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.querySelector('meta[name="uplot"]').content;
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => reject(new Error("uPlot did not load"));
    document.head.append(script);
  });
  return library;
}

function toneOf(series, index) {
  return series.tone || TONES[index % TONES.length];
}

function options(host, series) {
  const colours = palette(host);
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: colours["text-2"], font, ticks: { show: false }, grid: { stroke: colours.line, width: 1 } };
  return {
    width: host.clientWidth,
    height: 170,
    padding: [10, 12, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, space: 70, size: 28, values: (_, all) => all.map((at) => clock(new Date(at * 1000))) },
      { ...axis, size: 44, space: 32, values: (_, all) => all.map((value) => number(value)) },
    ],
    series: [{}, ...series.map((one, index) => ({ label: one.name, stroke: colours[toneOf(one, index)], width: 1.5, dash: index % 3 === 1 ? [5, 4] : index % 3 === 2 ? [2, 3] : undefined, spanGaps: false, points: { show: false } }))],
    hooks: { setCursor: [(plot) => legend(host, series, plot.cursor.idx)] },
  };
}

function legend(host, series, at) {
  const list = document.getElementById(`legend-${host.dataset.liveChart}`);
  if (!list) return;
  const colours = palette(host);
  list.replaceChildren(
    ...series.map((one, index) => {
      const item = document.createElement("li");
      const key = document.createElement("i");
      key.style.background = colours[toneOf(one, index)];
      const shown = one.values[at ?? one.values.length - 1];
      item.append(key, `${one.name} `, Object.assign(document.createElement("b"), { textContent: shown == null ? "–" : number(shown, 1) }));
      return item;
    }),
  );
}

async function draw(host, data) {
  const uPlot = await loadLibrary();
  const series = data[host.dataset.liveChart];
  const numbers = [data.at, ...series.map((one) => one.values)];
  const names = series.map((one) => one.name).join("|");
  const kept = charts.get(host.id);
  if (kept?.names === names && kept.host === host && kept.theme === theme()) kept.plot.setData(numbers);
  else {
    kept?.plot.destroy();
    const plot = new uPlot(options(host, series), numbers, host);
    charts.set(host.id, { plot, names, host, theme: theme() });
    if (!host.watched) {
      host.watched = new ResizeObserver(() => charts.get(host.id)?.plot.setSize({ width: host.clientWidth, height: 170 }));
      host.watched.observe(host);
    }
  }
  legend(host, series, null);
}

function theme() {
  return getComputedStyle(document.documentElement).colorScheme + matchMedia("(prefers-color-scheme: dark)").matches;
}

export function mountLive() {
  const source = document.getElementById("home-series");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  for (const host of document.querySelectorAll("[data-live-chart]")) draw(host, data).catch((error) => console.warn(error.message));
}

export function startLive() {
  document.addEventListener("console:theme", () => mountLive(document));
}
