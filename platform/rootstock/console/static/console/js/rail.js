// On phones the rail is a sheet over the page; on wide screens it can be narrowed to its icons, and stays so.
const COOKIE = "rootstock_rail";

function fold(button) {
  const narrow = document.documentElement.dataset.rail !== "narrow";
  if (narrow) document.documentElement.dataset.rail = "narrow";
  else delete document.documentElement.dataset.rail;
  button.setAttribute("aria-pressed", String(narrow));
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${COOKIE}=${narrow ? "narrow" : ""}; Path=/; Max-Age=${narrow ? 31536000 : 0}; SameSite=Lax${secure}`;
}

export function startRail() {
  const rail = document.getElementById("rail");
  const opener = document.querySelector("[data-rail-open]");
  const scrim = document.querySelector("[data-rail-close]");
  if (!rail || !opener) return;
  const folder = rail.querySelector("[data-rail-fold]");
  folder?.addEventListener("click", () => fold(folder));

  const set = (open) => {
    rail.toggleAttribute("data-open", open);
    scrim.toggleAttribute("data-open", open);
    opener.setAttribute("aria-expanded", String(open));
    for (const behind of document.querySelectorAll("main, .topbar")) behind.inert = open;
    if (open) rail.querySelector("a.rail-link")?.focus();
    else opener.focus();
  };
  opener.addEventListener("click", () => set(true));
  scrim.addEventListener("click", () => set(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && rail.hasAttribute("data-open")) set(false);
  });
}
