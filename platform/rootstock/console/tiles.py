"""A stat tile, as selectors hand it to a page."""

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Tile:
    """One figure with its name. `tone` (ok, warn, error, info) only where the figure is good or bad."""

    label: str
    value: str
    unit: str = ""
    note: str = ""
    symbol: str = ""
    tone: str = ""
    url: str = ""
    spark: tuple[float | None, ...] = ()  # the last values, oldest first
    change: str = ""  # against what, in words: "+4 % on yesterday"
