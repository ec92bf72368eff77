"""Whole streams of payments as data sets: what each payment could see is read when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.causal import NAMES, features
from models_zoo.fraud.causal.view import DELAY
from models_zoo.fraud.events import LABEL, WINDOW, Floats, Integers, Records
from models_zoo.fraud.history import SIDES, MemoryHistory, Neighbourhood, neighbourhood, relative_amounts

PIECE = 4096
"""Payments whose windows are held at a time (4096 of them are 45 MB)."""
Index = NDArray[np.int64] | slice


@dataclass(slots=True, frozen=True)
class Past:
    """PAYMENT [N] and the histories they are read from; source[n] says which of them is payment n's."""

    payment: Records
    histories: tuple[MemoryHistory, ...]
    source: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.payment)

    def part(self, index: Index) -> Past:
        """Some of the payments, with the whole histories."""
        return Past(self.payment[index], self.histories, self.source[index])

    def rows(self, index: Index) -> Neighbourhood:
        """The neighbourhood of some of the payments, each as it was when the payment arrived."""
        batch, source = self.payment[index], self.source[index]
        near = neighbourhood(self.histories[0], batch)
        for place in range(1, len(self.histories)):
            own = np.nonzero(source == place)[0]
            theirs = neighbourhood(self.histories[place], batch[own])
            for side in (*SIDES, "counters"):
                getattr(near, side)[own] = getattr(theirs, side)
        return near

    def pieces(self, size: int = PIECE) -> Iterator[Neighbourhood]:
        """The neighbourhoods of all payments, `size` at a time."""
        for at in range(0, len(self), size):
            yield self.rows(slice(at, at + size))


@dataclass(slots=True, frozen=True)
class Stream:
    """Payments with their pasts, labels bool [N] and day of each, float [N]."""

    near: Past
    labels: NDArray[np.bool_]
    day: NDArray[np.float64]

    def part(self, index: Integers) -> Stream:
        """Some rows of it."""
        return Stream(self.near.part(index), self.labels[index], self.day[index])

    def between(self, first: float, last: float) -> Stream:
        """The rows of days first <= day < last."""
        return self.part(np.nonzero((self.day >= first) & (self.day < last))[0])


def stream_surprises(batch: Records) -> Floats:
    """Surprise float32 [N] of each payment of a whole stream; the same that serving finds batch by batch."""
    history = MemoryHistory()
    history.append(batch, np.ones(len(batch), np.float32))
    pieces = [batch[at : at + PIECE] for at in range(0, len(batch), PIECE)]
    found = [relative_amounts(one, history.windows(one["payer"], one["sequence"])) for one in pieces]
    return np.concatenate([np.zeros(0, np.float32), *found])


def with_labels(
    batch: Records, frauds: NDArray[np.bool_], delay: NDArray[np.float64] | float
) -> tuple[Records, Records]:
    """PAYMENT [N] of a stream and LABEL [M] of its frauds, numbered anew in one sequence.

    Each label arrives `delay` seconds (one, or [M]) after its payment, before payments of that same moment.
    """
    known = np.nonzero(frauds)[0]
    times = batch["time"][known] + delay
    order = np.argsort(times, kind="stable")
    known, times = known[order], times[order]
    place = np.maximum(np.searchsorted(np.maximum.accumulate(batch["time"]), times), known + 1)
    place.sort()
    numbered, found = batch.copy(), np.zeros(len(known), LABEL)
    numbered["sequence"] = np.arange(1, len(batch) + 1) + np.searchsorted(
        place, np.arange(len(batch)), "right"
    )
    found["sequence"] = place + np.arange(1, len(known) + 1)
    found["time"], found["payment"], found["fraud"] = times, numbered["sequence"][known], 1
    return numbered, found


def replay(batch: Records, labels: Records | None = None, window: int = WINDOW) -> Past:
    """The past of each payment of a whole stream PAYMENT [N], with the LABEL [M] that came among them.

    `window` events of each side are read.
    """
    history = MemoryHistory(window)
    history.append(batch, stream_surprises(batch))
    if labels is not None:
        history.label(labels)
    return Past(batch, (history,), np.zeros(len(batch), np.uint8))


def table(past: Past, delay: float = DELAY) -> Floats:
    """Causal features float32 [N, F] of a whole stream; `delay` in seconds."""
    return np.concatenate(
        [np.zeros((0, len(NAMES)), np.float32), *(features(one, delay) for one in past.pieces())]
    )


def joined(streams: list[Stream]) -> Stream:
    """Several streams one after another; only for training, where order no longer matters."""
    firsts = np.cumsum([0, *(len(one.near.histories) for one in streams)])
    source = [one.near.source + np.uint8(first) for one, first in zip(streams, firsts, strict=False)]
    near = Past(
        np.concatenate([one.near.payment for one in streams]),
        tuple(history for one in streams for history in one.near.histories),
        np.concatenate(source),
    )
    labels = np.concatenate([one.labels for one in streams])
    return Stream(near, labels, np.concatenate([one.day for one in streams]))


def thinned(whole: Stream, keep: float, seed: int) -> Stream:
    """All frauds and a random share of the genuine payments, shuffled."""
    rng = np.random.default_rng(seed)
    chosen = np.nonzero(whole.labels | (rng.random(len(whole.labels)) < keep))[0]
    return whole.part(rng.permutation(chosen))
