// Graph cards on Cytoscape with the fCoSE layout, fetched only by a page that has one; without them the card is a list.
import { palette } from "./colours.js";
import { within } from "./dom.js";

const PARTS = ["layout-base", "cose-base", "cytoscape", "fcose"];
let library;

function script(name) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = document.querySelector(`meta[name="${name}"]`).content;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${name} did not load`));
    document.head.append(element);
  });
}

async function loadLibrary() {
  // Cytoscape would add a style element, which the page's policy refuses; it looks for this id first.
  const mark = document.createElement("meta");
  mark.id = "__________cytoscape_stylesheet";
  document.head.append(mark);
  for (const name of PARTS) await script(name);
  window.cytoscape.use(window.cytoscapeFcose);
  return window.cytoscape;
}

function styles(colours) {
  const font = getComputedStyle(document.body).fontFamily;
  const toned = (element) => colours[element.data("tone")] ?? colours["line-strong"];
  return [
    { selector: "node", style: { width: 16, height: 16, "background-color": colours["surface-3"], "border-width": 2, "border-color": toned, label: "", "font-family": font, "font-size": 11, color: colours.text, "text-valign": "bottom", "text-margin-y": 4, "text-background-color": colours.surface, "text-background-opacity": 0.85, "text-background-padding": 2 } },
    { selector: "node[?focus]", style: { width: 34, height: 34, "background-color": colours["accent-soft"], "border-width": 3, label: "data(label)", "font-weight": 600 } },
    { selector: "node.near", style: { label: "data(label)", "z-index": 10 } },
    { selector: "edge", style: { width: "data(width)", "line-color": toned, "target-arrow-color": toned, "target-arrow-shape": "triangle", "arrow-scale": 0.8, "curve-style": "bezier", opacity: 0.85, label: "", "font-family": font, "font-size": 10, color: colours["text-2"], "text-background-color": colours.surface, "text-background-opacity": 0.9, "text-background-padding": 2, "text-rotation": "autorotate" } },
    { selector: "edge[?dashed]", style: { "line-style": "dashed" } },
    { selector: "edge.near", style: { label: "data(label)", opacity: 1 } },
    { selector: ".far", style: { opacity: 0.25 } },
  ];
}

function drawn(cytoscape, canvas, spec) {
  const graph = cytoscape({
    container: canvas,
    elements: [...spec.nodes.map((data) => ({ data })), ...spec.edges.map((data) => ({ data }))],
    style: styles(palette(canvas.parentElement)),
    layout: { name: "fcose", animate: false, randomize: true, quality: "proof", padding: 28, idealEdgeLength: 90, nodeRepulsion: 6000 },
    userZoomingEnabled: false, // the wheel scrolls the page; buttons and pinching zoom
    minZoom: 0.3,
    maxZoom: 2.5,
  });
  graph.on("mouseover", "node, edge", ({ target }) => {
    const near = target.isNode() ? target.closedNeighborhood() : target.union(target.connectedNodes());
    graph.elements().difference(near).addClass("far");
    near.addClass("near");
  });
  graph.on("mouseout", "node, edge", () => graph.elements().removeClass("near far"));
  graph.on("tap", "node[url]", ({ target }) => target.data("url") && location.assign(target.data("url")));
  return graph;
}

async function mountGraph(card) {
  const [canvas, list, toggle] = ["canvas", "list", "toggle"].map((name) => card.querySelector(`[data-graph-${name}]`));
  library ??= loadLibrary();
  const cytoscape = await library;
  canvas.hidden = false;
  list.hidden = true;
  const graph = drawn(cytoscape, canvas, JSON.parse(document.getElementById(card.dataset.graph).textContent));
  document.addEventListener("console:theme", () => graph.style(styles(palette(card))));
  new ResizeObserver(() => canvas.hidden || (graph.resize(), graph.fit(undefined, 28))).observe(canvas);
  const [fit, save] = ["fit", "save"].map((name) => card.querySelector(`[data-graph-${name}]`));
  for (const button of [fit, save, toggle]) button.hidden = false;
  fit.addEventListener("click", () => graph.fit(undefined, 28));
  save.addEventListener("click", () => {
    const href = graph.png({ full: true, scale: 2, bg: palette(card).surface });
    Object.assign(document.createElement("a"), { href, download: `${card.dataset.graph}.png` }).click();
  });
  toggle.addEventListener("click", () => {
    list.hidden = !list.hidden;
    canvas.hidden = !list.hidden;
    toggle.setAttribute("aria-pressed", String(!list.hidden));
  });
}

export function mountGraphs(root) {
  for (const card of within(root, "[data-graph]:not([data-mounted])")) {
    card.dataset.mounted = "";
    mountGraph(card).catch((error) => console.warn(error.message));
  }
}
