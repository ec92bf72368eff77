"""What lies before the events of an entity that are read one by one, in short: how many, since when, and how much.

A COUNTER is what happened in one direction; an entity has two, `[..., 2]`, incoming first, as an event's `outgoing`
says. Numbers and sums are decayed, once for each of SPANS, and kept as logarithms: `counts` is the log of the sum of
exp(time / span) over the events, `sums` the same with each event weighted by its amount. So no moment is special:
events may be added in any order, one by one or in parts that are joined, and what comes out is the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.events import Records

HOUR, DAY = 3600.0, 86400.0
SPANS = np.array([HOUR, DAY, 7 * DAY, 30 * DAY])
COUNTER = np.dtype(
    [
        ("count", "<i8"),
        ("first", "<f8"),
        ("last", "<f8"),
        ("counts", "<f8", len(SPANS)),
        ("sums", "<f8", len(SPANS)),
    ]
)
"""count events, the earliest and the latest of their times, and the logarithms by span; packed in 88 bytes."""
NOTHING = np.array((0, np.inf, -np.inf, -np.inf, -np.inf), COUNTER)
Times = NDArray[np.float64]


def nothing(*shape: int) -> Records:
    """COUNTER [*shape] of no events."""
    return np.full(shape, NOTHING, COUNTER)


def joined(one: Records, other: Records) -> Records:
    """COUNTER [...] of the events of both."""
    found = np.empty(one.shape, COUNTER)
    for name, join in _JOINS.items():
        found[name] = join(one[name], other[name])
    return found


_JOINS = {
    "count": np.add,
    "first": np.minimum,
    "last": np.maximum,
    "counts": np.logaddexp,
    "sums": np.logaddexp,
}


def counted(events: Records) -> Records:
    """COUNTER [B, 2] of EVENT [B, M], of which those of sequence 0 are none."""
    found = nothing(len(events), 2)
    if not events.size:
        return found
    outgoing, present = events["outgoing"] == 1, events["sequence"] > 0
    own = [present & ~outgoing, present & outgoing]
    time = events["time"]
    for direction, which in enumerate(own):
        found["count"][:, direction] = which.sum(axis=1)
        found["first"][:, direction] = np.where(which, time, np.inf).min(axis=1)
        found["last"][:, direction] = np.where(which, time, -np.inf).max(axis=1)
    latest = np.where(found["count"] > 0, found["last"], 0.0)
    age = np.where(outgoing, latest[:, 1:], latest[:, :1]) - time
    weight = np.exp(-np.where(present, age, np.inf)[..., None] / SPANS)
    amount = events["amount"].astype(np.float64)
    with np.errstate(divide="ignore"):
        for direction, which in enumerate(own):
            start = latest[:, direction, None] / SPANS
            for name, each in (("counts", which.astype(np.float64)), ("sums", which * amount)):
                found[name][:, direction] = np.log(np.einsum("bms,bm->bs", weight, each)) + start
    return found


def running(events: Records) -> Records:
    """COUNTER [M] of the first, the first two, ... of EVENT [M] of one entity and one direction."""
    found = np.empty(len(events), COUNTER)
    time = np.ascontiguousarray(events["time"])
    logs = time[:, None] / SPANS
    with np.errstate(divide="ignore"):
        amount = np.log(events["amount"].astype(np.float64))
    found["count"] = np.arange(1, len(events) + 1)
    found["first"], found["last"] = np.minimum.accumulate(time), np.maximum.accumulate(time)
    found["counts"] = np.logaddexp.accumulate(logs, axis=0)
    found["sums"] = np.logaddexp.accumulate(logs + amount[:, None], axis=0)
    return found


def within(counters: Records, now: Times) -> tuple[Times, Times]:
    """Number and sum of the amounts, float64 [..., S], in each of SPANS up to now [...], as far as is known.

    A counter does not know when its events were. If a span reaches to the first of them it holds all. Else they are
    taken to have come at a steady rate for a while up to the last: how long, the decayed number of a span and of the
    next longer one (for the longest, of all) say together, since one is the larger part of the other the shorter it
    was. So neither one early event nor many make a burst look longer or larger than it was.
    """
    number, total = np.zeros((2, *counters.shape, len(SPANS)))
    there = np.nonzero(counters["count"])
    if not len(there[0]):
        return number, total
    some = counters[there]
    count, last = some["count"][:, None], some["last"][:, None]
    part = np.clip(1 - np.abs(np.broadcast_to(now, counters.shape)[there][:, None] - last) / SPANS, 0.0, 1.0)
    decayed, amounts = (np.exp(some[name] - last / SPANS) for name in ("counts", "sums"))
    lasted = _lasted(decayed, count)
    steady = decayed * np.minimum(lasted, part) / -np.expm1(-lasted)
    whole = part >= (last - some["first"][:, None]) / SPANS
    found = np.where(whole, count, np.minimum(steady, count)) * (part > 0)
    number[there] = np.minimum.accumulate(found[:, ::-1], axis=1)[:, ::-1]
    total[there] = number[there] * amounts / decayed
    return number, total


def _lasted(decayed: Times, count: NDArray[np.int64]) -> Times:
    """For how many spans [N, S] a steady rate went on that gives these decayed numbers, and so many [N, 1] in all."""
    longer = np.concatenate([decayed[:, 1:], count], axis=1)
    share = np.clip(decayed / longer, 0.0, 1.0)
    found = [np.interp(-share[:, place], -each, _LASTED) for place, each in enumerate(_SHARES)]
    return np.stack(found, axis=1)


_LASTED = np.geomspace(1e-6, 1e4, 2000)
_SHARES = [
    -np.expm1(-_LASTED) / (times * -np.expm1(-_LASTED / times)) for times in (SPANS[1:] / SPANS[:-1]).tolist()
] + [-np.expm1(-_LASTED) / _LASTED]
"""What a span's decayed number is of the next longer one's, and the longest's of all, after a steady rate that went on
for _LASTED spans: from 1, after a burst, down to the ratio of the spans."""


class Running:
    """Counters as of any place in the histories of entities that lie one behind another, each in its own order."""

    def __init__(self, events: Records, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        """EVENT [M], and from where to where each of some entities reaches in it, ascending."""
        own = np.zeros(len(events) + 1, np.int64)
        own[starts] += 1
        np.subtract.at(own, ends, 1)
        inside = own[:-1].cumsum() > 0
        self._before, self._states = [], []
        for direction in (0, 1):
            which = inside & (events["outgoing"] == direction)
            before = np.concatenate([[0], which.cumsum()])
            chosen, states = events[which], np.empty(before[-1], COUNTER)
            for start, end in zip(before[starts].tolist(), before[ends].tolist(), strict=True):
                states[start:end] = running(chosen[start:end])
            self._before.append(before)
            self._states.append(states)

    def upto(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Records:
        """COUNTER [B, 2] of the events from the start of an entity to before a place of it."""
        found = nothing(len(starts), 2)
        for direction, (before, states) in enumerate(zip(self._before, self._states, strict=True)):
            last = before[ends]
            some = np.nonzero((last > before[starts]) & (ends > starts))[0]
            found[some, direction] = states[last[some] - 1]
        return found
