// A page that somebody is about to open is fetched while the pointer rests on its link. Only links that say so: lists
// of persons do not, since opening one is a reading that goes on record.
const REST_MS = 70;
const fetched = new Set();
let waiting;

function fetchAhead(link) {
  if (fetched.has(link.href) || navigator.connection?.saveData) return;
  fetched.add(link.href);
  const hint = document.createElement("link");
  Object.assign(hint, { rel: "prefetch", href: link.href });
  document.head.append(hint);
}

export function startPrefetch() {
  document.addEventListener("mouseover", (event) => {
    clearTimeout(waiting);
    const link = event.target.closest?.("a[data-prefetch]");
    if (link && link.origin === location.origin) waiting = setTimeout(() => fetchAhead(link), REST_MS);
  });
}
