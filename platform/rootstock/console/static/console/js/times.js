// How moments and numbers are written on every page: as the pages' own language does, whatever the browser's is. The
// server writes them alike, see rootstock/console/written/en_GB/formats.py.
const LANGUAGE = "en-GB";
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const MOMENT = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short", year: "numeric", ...CLOCK });
const EXACT = new Intl.DateTimeFormat(LANGUAGE, { weekday: "short", day: "numeric", month: "short", year: "numeric", ...CLOCK, second: "2-digit", timeZoneName: "short" });
const HOUR = new Intl.DateTimeFormat(LANGUAGE, CLOCK);
const SECOND = new Intl.DateTimeFormat(LANGUAGE, { ...CLOCK, second: "2-digit" });

export const moment = (date) => MOMENT.format(date); // 22 Nov 2026, 14:05
export const exact = (date) => `${EXACT.format(date)} (${date.toISOString()})`; // with the zone, and the instant itself
export const clock = (date) => HOUR.format(date); // 14:05
export const second = (date) => SECOND.format(date); // 14:05:12
export const number = (value, digits = 3) => value.toLocaleString(LANGUAGE, { maximumFractionDigits: digits });
