"""Latencies as counts in logarithmic classes: adding is one step, and counts of several processes add up."""

from bisect import bisect_left
from collections.abc import Mapping

FIRST_MS, GROWTH, CLASSES = 0.5, 1.25, 52  # the last class begins at about 44 s
BOUNDS_MS = [FIRST_MS * GROWTH**step for step in range(CLASSES)]


def class_of(milliseconds: float) -> int:
    """The class that a latency is counted in."""
    return bisect_left(BOUNDS_MS, milliseconds)


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """The latency (ms) below which `share` of all lie, within a class's width (25 %); None without any."""
    wanted, seen = share * sum(counts.values()), 0
    for place in sorted(counts):
        seen += counts[place]
        if seen >= wanted and counts[place]:
            return _inside(place, 1 - (seen - wanted) / counts[place])
    return None


def _inside(place: int, part: float) -> float:
    if place >= CLASSES:
        return BOUNDS_MS[-1]
    below = BOUNDS_MS[place - 1] if place else 0.0
    return round(below + part * (BOUNDS_MS[place] - below), 3)
