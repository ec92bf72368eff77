// On phones the rail is a sheet over the page.
export function startRail() {
  const rail = document.getElementById("rail");
  const opener = document.querySelector("[data-rail-open]");
  const scrim = document.querySelector("[data-rail-close]");
  if (!rail || !opener) return;

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
