"""How numbers, spans of time and scores are written on every page."""

import datetime
from decimal import Decimal
from typing import Literal

from django.utils import formats as localised

NONE = "\N{EN DASH}"
Level = Literal["low", "medium", "high", "critical"]
LEVELS: tuple[tuple[float, Level], ...] = ((0.85, "critical"), (0.6, "high"), (0.3, "medium"))


def risk_level(score: float) -> Level:
    """The usual bands, where a vertical has none of its own."""
    return next((level for floor, level in LEVELS if score >= floor), "low")


def abbreviated(value: float) -> str:
    """1,234 stays whole below 10,000; above that 12.3k, 4.5M, 6.7B."""
    size = abs(value)
    if size < 10_000:
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    for factor, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= factor:
            return f"{value / factor:.1f}".removesuffix(".0") + suffix
    return f"{value:,.0f}"


def percentage(share: float, digits: int = 0) -> str:
    """0.57 as 57 %, with a narrow space that does not break."""
    return f"{share * 100:.{digits}f}\u202f%"


def signed(value: float) -> str:
    """What is added or taken away, with its sign."""
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "\u2212")


def money(value: Decimal | float | str, currency: str = "") -> str:
    """Two decimals, thousands apart, the currency after it; the space between does not break."""
    return f"{Decimal(str(value)):,.2f}\u00a0{currency}".rstrip("\u00a0")


def moment(at: datetime.datetime | datetime.date) -> str:
    """22 Nov 2026, 14:05, in the zone that `at` is in; a day without a time as 22 Nov 2026."""
    kind = "DATETIME_FORMAT" if isinstance(at, datetime.datetime) else "DATE_FORMAT"
    return localised.date_format(at, kind)


def span(seconds: float) -> str:
    """A length of time at the precision a reader can use: 340 ms, 12 s, 4 min 05 s, 3 h 10 min, 2 d 4 h."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"
