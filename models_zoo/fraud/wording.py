"""How numbers are put into sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping

from models_zoo.fraud.events import WINDOW

Values = Mapping[str, float]
HOURS = {"1h": 1, "24h": 24}


def span(hours: float) -> str:
    """A time in minutes, hours or days that what is told lies within: never less than it was."""
    if hours < 1.5:
        return f"{max(1, _up(hours * 60))} min"
    return f"{_up(hours)} h" if hours <= 48 else f"{_up(hours / 24)} days"


def _up(time: float) -> int:
    return math.ceil(round(time, 3))  # without what float32 adds to a whole number


def share(rank: float) -> str:
    """A share of all."""
    return "all" if rank >= 1 else f"{rank:.0%}"


def several(count: float, what: str) -> str:
    """A number of things."""
    return f"{count:.0f} {what}{'' if round(count) == 1 else 's'}"


def few(count: float) -> str:
    """A small number of earlier payments."""
    return "no earlier payment" if count < 1 else f"only {several(count, 'earlier payment')}"


def busy(values: Values, side: str) -> bool:
    """Whether a side has more events than are read one by one."""
    return values.get(f"{side}_events", 0) > WINDOW


def counted(values: Values, side: str, name: str, at: str = "at") -> str:
    """What was counted among the events that are read: of a busy side there may be more."""
    return f"{at} least {values[name]:.0f}" if busy(values, side) else f"{values[name]:.0f}"


def about(values: Values, side: str, time: str) -> str:
    """What is said before a count over HOURS of a busy side that may be an estimate, since counters do not know when
    their events were: all events that are read lie within the time, and others further away."""
    count = sum(values.get(f"{side}{way}_count_{time}", 0.0) for way in ("", "_in", "_out"))
    asked = count >= WINDOW or count % 1 > 0
    further = values[f"{side}_first_seen"] * 24 > HOURS[time]
    return "About " if busy(values, side) and asked and further else ""
