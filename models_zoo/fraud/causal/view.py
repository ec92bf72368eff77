"""A side's window of events as plain arrays, with what several groups of features need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.events import Floats, Integers, Records

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
SPANS = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
DELAY = 7 * DAY
"""After this time a payment that nobody called fraud counts as genuine, unless an organisation says otherwise."""

Mask = NDArray[np.bool_]
Columns = dict[str, NDArray[Any]]
"""Features by name, [B] each; infinite where there is nothing to measure."""


@dataclass(slots=True, frozen=True)
class View:
    """EVENT [B, K] as arrays [B, K]; seconds since an event are infinite at empty places.

    inside [S, B, K]: which events are within each of SPANS; stretch [S, B]: by what to multiply a count or sum over
    a span that begins before the ring does; fraud and genuine: what is known of an event by now.
    """

    present: Mask
    outgoing: Mask
    incoming: Mask
    age: Floats
    amount: Floats
    surprise: Floats
    other: Integers
    channel: NDArray[np.uint8]
    fraud: Mask
    genuine: Mask
    inside: Mask
    stretch: Floats

    @classmethod
    def of(cls, batch: Records, window: Records, delay: float = DELAY) -> Self:
        """The view of PAYMENT [B] on EVENT [B, K]; `delay` in seconds (see DELAY)."""
        present = window["sequence"] > 0
        seconds = np.maximum(batch["time"][:, None] - window["time"], 0.0).astype(np.float32)
        age = np.where(present, seconds, np.float32(np.inf))
        outgoing = window["outgoing"] == 1
        fraud = window["fraud"] == 1
        genuine = (window["fraud"] == 2) | (present & (age >= delay) & ~fraud)
        spans = np.array(list(SPANS.values()), np.float32)
        return cls(
            present=present,
            outgoing=outgoing,
            incoming=present & ~outgoing,
            age=age,
            amount=np.ascontiguousarray(window["amount"]),
            surprise=np.ascontiguousarray(window["surprise"]),
            other=np.ascontiguousarray(window["other"]),
            channel=window["channel"],
            fraud=fraud,
            genuine=genuine,
            inside=age <= spans[:, None, None],
            stretch=_stretch(present, seconds, spans),
        )

    def totals(self, which: Mask) -> tuple[Floats, Floats]:
        """Number and sum of amounts [S, B] of the events of `which` [B, K] over each span, stretched where needed."""
        chosen = (self.inside & which).astype(np.float32)
        sums = np.einsum("sbk,bk->sb", chosen, self.amount)
        return chosen.sum(axis=2) * self.stretch, sums * self.stretch

    def since(self, which: Mask) -> Floats:
        """Seconds [B] since the newest event of `which` [B, K], infinite if there is none."""
        found: Floats = np.where(which, self.age, np.float32(np.inf)).min(axis=1)
        return found

    def first(self, which: Mask) -> Floats:
        """Seconds [B] since the oldest event of `which` [B, K], infinite if there is none."""
        oldest = np.where(which, self.age, np.float32(-1)).max(axis=1)
        return np.where(oldest >= 0, oldest, np.float32(np.inf))


def _stretch(present: Mask, seconds: Floats, spans: Floats) -> Floats:
    """The rate over a full ring stands for the part of a span that it does not reach."""
    reach = np.where(present.all(axis=1), np.maximum(seconds.max(axis=1), MINUTE), np.inf)
    stretch: Floats = np.maximum(spans[:, None] / reach, 1.0).astype(np.float32)
    return stretch


def share(top: NDArray[Any], bottom: NDArray[Any]) -> Floats:
    """top / bottom [B], infinite where the bottom is 0."""
    divided: Floats = np.full(len(bottom), np.inf, np.float32)
    np.divide(top, bottom, out=divided, where=bottom > 0, casting="unsafe")
    return divided
