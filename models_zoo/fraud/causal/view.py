"""A side's window of events as plain arrays, with what several groups of features need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.counters import DAY as DAY
from models_zoo.fraud.counters import HOUR as HOUR
from models_zoo.fraud.counters import SPANS as SECONDS
from models_zoo.fraud.counters import Times
from models_zoo.fraud.events import Floats, Integers, Records

MINUTE = 60.0
SPANS = dict(zip(("1h", "24h", "7d", "30d"), SECONDS.tolist(), strict=True))
INCOMING, OUTGOING = 0, 1
DELAY = 7 * DAY
"""After this time a payment that nobody called fraud counts as genuine, unless an organisation says otherwise."""

Mask = NDArray[np.bool_]
Columns = dict[str, NDArray[Any]]
"""Features by name, [B] each; infinite where there is nothing to measure."""


@dataclass(slots=True, frozen=True)
class View:
    """EVENT [B, K] as arrays [B, K]; seconds since an event (`age`) are infinite at empty places.

    counts and sums [2, S, B]: number and amount of the events of a direction within each of SPANS; earlier
    COUNTER [B, 2]: what came before the window; fraud and genuine: what is known of an event by now.
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
    counts: Floats
    sums: Floats
    earlier: Records
    now: Times
    time: Times

    @classmethod
    def of(
        cls, now: Times, window: Records, earlier: Records, before: tuple[Times, Times], delay: float = DELAY
    ) -> Self:
        """The view of payments made at `now` [B] on EVENT [B, K], with COUNTER [B, 2] of what came before those and how
        much of it [B, 2, S] lies within the spans; `delay` in seconds (see DELAY)."""
        present, time = window["sequence"] > 0, np.ascontiguousarray(window["time"])
        age = np.where(present, ages(now, time), np.float32(np.inf))
        outgoing = window["outgoing"] == 1
        fraud = window["fraud"] == 1
        genuine = (window["fraud"] == 2) | (present & (since_arrival(now, time) >= delay) & ~fraud)
        incoming, amount = present & ~outgoing, np.ascontiguousarray(window["amount"])
        counts, sums = _totals(age, amount, (incoming, outgoing), before)
        return cls(
            present=present,
            outgoing=outgoing,
            incoming=incoming,
            age=age,
            amount=amount,
            surprise=np.ascontiguousarray(window["surprise"]),
            other=np.ascontiguousarray(window["other"]),
            channel=window["channel"],
            fraud=fraud,
            genuine=genuine,
            counts=counts,
            sums=sums,
            earlier=earlier,
            now=now,
            time=time,
        )

    def since(self, which: Mask) -> Floats:
        """Seconds [B] since the newest event of `which` [B, K], infinite if there is none."""
        found: Floats = np.where(which, self.age, np.float32(np.inf)).min(axis=1)
        return found

    def last_ever(self, direction: int) -> Floats:
        """Seconds [B] since the newest event of a direction, in the window or before it, infinite if there is none."""
        before = self.earlier[:, direction]
        seconds = np.where(before["count"] > 0, ages(self.now, before["last"]), np.float32(np.inf))
        found: Floats = np.minimum(self.since((self.incoming, self.outgoing)[direction]), seconds)
        return found

    def first(self, which: Mask) -> Floats:
        """Seconds [B] since the oldest event of `which` [B, K], infinite if there is none."""
        oldest = np.where(which, self.age, np.float32(-1)).max(axis=1)
        return np.where(oldest >= 0, oldest, np.float32(np.inf))

    def first_ever(self, which: Mask, direction: slice) -> Floats:
        """The same for all events of one direction, or of both, those that came before the window included: of a late
        payment the furthest may be the latest of them."""
        found, rows = self.first(which), np.nonzero(self.earlier["count"][:, direction].any(axis=1))[0]
        if len(rows):
            before, now = self.earlier[rows, direction], self.now[rows]
            first, last = ages(now, before["first"].min(axis=1)), ages(now, before["last"].max(axis=1))
            seen = np.where(np.isfinite(found[rows]), found[rows], 0)
            found[rows] = np.maximum(seen, np.maximum(first, last))
        return found


def ages(now: Times, time: Times) -> Floats:
    """Seconds [B, ...] between payments made at `now` [B] and events [B, ...] that had arrived before them.

    A payment that arrives late has events behind it that were made after it: those are as far away as their time is,
    on the other side. Were they of no age, a month of payments would be the burst of an hour.
    """
    apart: Floats = np.abs(now.reshape(-1, *[1] * (time.ndim - 1)) - time).astype(np.float32)
    return apart


def since_arrival(now: Times, time: Times) -> Times:
    """Seconds [B, ..., K] since events had arrived by `now` [B], as far as their order tells, 0 of an empty place.

    An event arrived no sooner than those before it were made, and a payment no sooner than those that it finds. What
    comes in time arrives when it is made; what is dated back has not been there long enough to count as genuine.
    """
    arrived = np.maximum.accumulate(time, axis=-1)
    until = np.maximum(now.reshape(-1, *[1] * (time.ndim - 1)), arrived[..., -1:])
    return np.where(time > 0, until - arrived, 0.0)


def _totals(
    age: Floats, amount: Floats, directions: tuple[Mask, ...], before: tuple[Times, Times]
) -> tuple[Floats, Floats]:
    """Numbers and sums [2, S, B] of the events within each span, and of what counters `before` [B, 2, S] say."""
    inside = age <= SECONDS.astype(np.float32)[:, None, None]
    counts, sums = [], []
    for place, which in enumerate(directions):
        chosen = (inside & which).astype(np.float32)
        counts.append(chosen.sum(axis=2) + before[0][:, place].T)
        sums.append(np.einsum("sbk,bk->sb", chosen, amount) + before[1][:, place].T)
    return np.stack(counts).astype(np.float32), np.stack(sums).astype(np.float32)


def share(top: NDArray[Any], bottom: NDArray[Any]) -> Floats:
    """top / bottom [B], infinite where the bottom is 0."""
    divided: Floats = np.full(len(bottom), np.inf, np.float32)
    np.divide(top, bottom, out=divided, where=bottom > 0, casting="unsafe")
    return divided
