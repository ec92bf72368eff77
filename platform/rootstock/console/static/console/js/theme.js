// Light, dark or the system's choice. A cookie, so that the server sends the right page and nothing flashes.
const COOKIE = "rootstock_theme";

function current() {
  return document.documentElement.dataset.theme ?? "system";
}

function apply(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${COOKIE}=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  show();
  document.dispatchEvent(new CustomEvent("console:theme", { detail: theme }));
}

function show() {
  for (const choice of document.querySelectorAll("[data-theme-choice]")) {
    choice.setAttribute("aria-checked", String(choice.dataset.themeChoice === current()));
  }
}

export function startTheme() {
  show();
  for (const choice of document.querySelectorAll("[data-theme-choice]")) {
    choice.addEventListener("click", () => {
      apply(choice.dataset.themeChoice);
      choice.closest("[popover]")?.hidePopover();
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (current() === "system") document.dispatchEvent(new CustomEvent("console:theme"));
  });
}
