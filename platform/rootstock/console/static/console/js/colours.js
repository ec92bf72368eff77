// A canvas knows no custom properties: the browser resolves each token to a plain colour.
const NAMES = ["text", "text-2", "text-3", "line", "line-strong", "surface", "surface-2", "surface-3", "accent", "accent-soft", "info", "violet", "warn", "error", "ok", "high", "critical"];

export function palette(host) {
  const probe = document.createElement("span");
  host.append(probe);
  const resolved = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const colours = Object.fromEntries(NAMES.map((name) => [name, resolved(name)]));
  probe.remove();
  return colours;
}
