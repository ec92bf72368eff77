"""22 Nov 2026, 14:05: never the order of two numbers, never a.m. or p.m. The browser's side is console/js/times.js."""

DATE_FORMAT = SHORT_DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "j M Y, H:i"
