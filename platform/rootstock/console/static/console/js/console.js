// Entry of every page. Each module finds its own markup; parts that htmx swaps in are visited again.
import { mountCharts } from "./charts.js";
import { mountChats } from "./chat.js";
import { startConfirm } from "./confirm.js";
import { mountGraphs } from "./graph.js";
import { mountDates, startDates } from "./dates.js";
import { startHealth } from "./health.js";
import { startKeyboard } from "./keyboard.js";
import { mountLive, startLive } from "./live.js";
import { startPalette } from "./palette.js";
import { startPrefetch } from "./prefetch.js";
import { startRail } from "./rail.js";
import { mountTables, startTables } from "./tables.js";
import { startTheme } from "./theme.js";
import { startNetwork } from "./network.js";
import { mountText, tellZone } from "./text.js";
import { startToasts } from "./toast.js";
import { mountUploads } from "./upload.js";

function mount(root) {
  mountText(root);
  mountCharts(root);
  mountGraphs(root);
  mountChats(root);
  mountTables(root);
  mountDates(root);
  mountLive();
  mountUploads(root);
}

tellZone();
startTheme();
startRail();
startConfirm();
startKeyboard();
startTables();
startDates();
startPalette();
startLive();
startToasts();
startPrefetch();
startNetwork();
startHealth();
mount(document);
document.addEventListener("htmx:load", (event) => mount(event.detail.elt));
document.querySelector("[data-focus]")?.focus();
