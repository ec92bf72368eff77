"""How numbers are put into sentences."""

from __future__ import annotations

from collections.abc import Mapping

from models_zoo.fraud.events import WINDOW

Values = Mapping[str, float]


def span(hours: float) -> str:
    """A time in minutes, hours or days."""
    if hours < 1.5:
        return f"{max(1, round(hours * 60))} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"


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
