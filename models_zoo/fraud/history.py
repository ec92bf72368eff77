"""Histories of entities: what an account, device or merchant did before a given ingest sequence.

The newest events are read one by one; of those before them there are counters.

One interface with two homes: `MemoryHistory` here for training and back-tests, and the serving one beside
the application's store. Both answer the same question, so training and serving read the same features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.counters import Running, nothing
from models_zoo.fraud.events import EVENT, LABEL, WINDOW, Floats, Integers, Records, events_of

SIDES = ("payer", "payee", "device", "merchant")
ENOUGH = 3
"""Outgoing payments from which on a payer's median means something."""


class Before(NamedTuple):
    """Of B entities the last events EVENT [B, K], and COUNTER [B, 2] of all that came before those."""

    events: Records
    counters: Records


class Reading(Protocol):
    """What is known per entity, strictly before a sequence."""

    def before(self, entities: Integers, sequences: Integers) -> Before:
        """The last WINDOW events of `entities[b]` with sequence < `sequences[b]`, oldest first, right-aligned.

        Each event has the last of its labels that came before the asked sequence, or none.
        """


@dataclass(slots=True, frozen=True)
class Neighbourhood:
    """A batch of payments with what their entities did before: PAYMENT [B], four times EVENT [B, K], and
    COUNTER [B, 4, 2] of all that each side did before those events."""

    payment: Records
    payer: Records
    payee: Records
    device: Records
    merchant: Records
    counters: Records

    @classmethod
    def of(cls, batch: Records, named: NDArray[np.int64], before: Before) -> Neighbourhood:
        """Of PAYMENT [B]; `named` says which of all payers, payees, devices and merchants `before` is of."""
        windows = np.zeros((len(batch) * len(SIDES), before.events.shape[1]), EVENT)
        counters = nothing(len(windows), 2)
        windows[named], counters[named] = before
        payer, payee, device, merchant = np.split(windows, len(SIDES))
        sides = np.stack(np.split(counters, len(SIDES)), axis=1)
        return cls(batch, payer, payee, device, merchant, sides)

    def __len__(self) -> int:
        return len(self.payment)

    def rows(self, index: NDArray[np.int64] | slice) -> Neighbourhood:
        """The neighbourhood of some of the payments."""
        return Neighbourhood(*(one[index] for one in self._arrays()))

    def newest(self, size: int) -> Neighbourhood:
        """The same payments with the last `size` events of each side; what came before those is not counted."""
        payment, payer, payee, device, merchant, counters = self._arrays()
        windows = (one[:, -size:] for one in (payer, payee, device, merchant))
        return Neighbourhood(*(payment, *windows, nothing(*counters.shape)))

    def _arrays(self) -> tuple[Records, ...]:
        return self.payment, self.payer, self.payee, self.device, self.merchant, self.counters


def neighbourhood(history: Reading, batch: Records) -> Neighbourhood:
    """What a history holds before each payment of PAYMENT [B]: one reading for all sides that are named."""
    entities = np.concatenate([batch[side] for side in SIDES])
    sequences = np.tile(batch["sequence"], len(SIDES))
    named = np.nonzero(entities)[0]
    return Neighbourhood.of(batch, named, history.before(entities[named], sequences[named]))


def surprises(batch: Records, payer: Records) -> Floats:
    """Surprise float32 [B] of each payment: its amount over the median of the payer's outgoing ones before it.

    payer EVENT [B, WINDOW] is what the history held of each payer; earlier payments of the batch count as well,
    whether they are in the history yet or not. 1.0 with fewer than three.
    """
    held = payer["sequence"] > 0
    history = MemoryHistory(payer.shape[1])
    history.add(np.broadcast_to(batch["payer"][:, None], held.shape)[held], payer[held])
    history.append(batch, np.ones(len(batch), np.float32))
    return relative_amounts(batch, history.windows(batch["payer"], batch["sequence"]))


def relative_amounts(batch: Records, payer: Records) -> Floats:
    """The same [B] from windows [B, K] that already hold every earlier payment."""
    outgoing = payer["outgoing"] == 1
    ordered = np.sort(np.where(outgoing, payer["amount"], np.float32(np.inf)), axis=1)
    count, row = outgoing.sum(axis=1), np.arange(len(batch))
    upper = ordered[row, np.minimum(count // 2, ordered.shape[1] - 1)].astype(np.float64)
    lower = ordered[row, np.maximum(count - 1, 0) // 2].astype(np.float64)
    known = (count >= ENOUGH) & (lower + upper > 0)
    median = np.where(known, (lower + upper) / 2, 1.0)
    return np.where(known, batch["amount"] / median, 1.0).astype(np.float32)


class MemoryHistory:
    """All events of all entities, sorted by entity and sequence. Reading after an addition sorts anew: add in large
    pieces. `window` is the number of events that `before` gives."""

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._entities = np.zeros(0, np.int64)
        self._events = np.zeros(0, EVENT)
        self._labels = np.zeros(0, LABEL)
        self._known = np.zeros(0, np.int64)
        self._keys = np.zeros(0, np.int64)
        self._stride = 1
        self._settled = True
        self._running: Running | None = None

    def append(self, batch: Records, surprise: Floats) -> None:
        """Add PAYMENT [N] with their surprise [N] to their entities; adding a payment twice changes nothing."""
        self.add(*events_of(batch, surprise))

    def add(self, entities: Integers, events: Records) -> None:
        """Add EVENT [M] of entities [M] as they are."""
        self._entities = np.concatenate([self._entities, entities])
        self._events = np.concatenate([self._events, events])
        self._settled = False

    def label(self, batch: Records) -> None:
        """Add LABEL [M]; adding a label twice changes nothing, a second label of a payment follows the first."""
        both = np.concatenate([self._labels, batch])
        _, first = np.unique(both["sequence"], return_index=True)
        both = both[first]
        self._labels = both[np.argsort(both["payment"], kind="stable")]
        self._settled = False

    def before(self, entities: Integers, sequences: Integers) -> Before:
        """See `Reading.before`."""
        first, end = self._places(entities, sequences)
        return Before(self._windows(first, end, sequences), self._counters(first, end - self._window))

    def windows(self, entities: Integers, sequences: Integers) -> Records:
        """The events of `before` alone."""
        return self._windows(*self._places(entities, sequences), sequences)

    def _places(self, entities: Integers, sequences: Integers) -> tuple[Integers, Integers]:
        """From where to where, int64 [B] each, the events of each entity before its sequence lie."""
        self._settle()
        if not len(self._known):
            return np.zeros(len(entities), np.int64), np.zeros(len(entities), np.int64)
        rank = np.minimum(np.searchsorted(self._known, entities), len(self._known) - 1)
        first = np.searchsorted(self._keys, rank * self._stride)
        end = np.searchsorted(self._keys, rank * self._stride + np.minimum(sequences, self._stride - 1))
        return first, np.where(self._known[rank] == entities, end, first)

    def _windows(self, first: Integers, end: Integers, sequences: Integers) -> Records:
        places = end[:, None] - np.arange(self._window, 0, -1)
        filled = places >= first[:, None]
        if not len(self._events):
            return np.zeros(filled.shape, EVENT)
        window = self._events[np.where(filled, places, 0)]
        window[~filled] = np.zeros((), EVENT)
        self._hide_later(window, sequences)
        return window

    def _counters(self, first: Integers, end: Integers) -> Records:
        found, long = nothing(len(first), 2), np.nonzero(end > first)[0]
        if len(long):
            found[long] = self._all_running().upto(first[long], end[long])
        return found

    def _all_running(self) -> Running:
        if self._running is None:
            edges = np.searchsorted(self._keys, np.arange(len(self._known) + 1) * self._stride)
            long = np.diff(edges) > self._window
            self._running = Running(self._events, edges[:-1][long], edges[1:][long])
        return self._running

    def _settle(self) -> None:
        if self._settled:
            return
        self._running = None
        order = np.lexsort((self._events["sequence"], self._entities))
        entities, sequence = self._entities[order], self._events["sequence"][order]
        fresh = np.ones(len(order), bool)
        fresh[1:] = (entities[1:] != entities[:-1]) | (sequence[1:] != sequence[:-1])
        self._entities, self._events = entities[fresh], self._events[order[fresh]]
        # One ascending key per event: (rank of its entity) * stride + sequence, for binary search.
        self._known, rank = np.unique(self._entities, return_inverse=True)
        self._stride = int(self._events["sequence"].max(initial=0)) + 2
        self._keys = rank * self._stride + self._events["sequence"]
        if len(self._labels):
            self._put_labels(self._events, np.iinfo(np.int64).max)
        self._settled = True

    def _hide_later(self, window: Records, sequences: Integers) -> None:
        """Give events of [B, K] whose label came at or after the asked sequence the label they had before it."""
        row, place = np.nonzero(window["labelled"] >= sequences[:, None])
        if len(row):
            seen = window[row, place]
            seen["fraud"], seen["labelled"] = 0, 0
            self._put_labels(seen, sequences[row])
            window[row, place] = seen

    def _put_labels(self, events: Records, sequences: Integers | int) -> None:
        """Set the last label before `sequences` of each of EVENT [M] that has one."""
        if not len(self._labels):
            return
        stride = int(self._labels["sequence"].max()) + 2
        keys = self._labels["payment"] * stride + self._labels["sequence"]
        asked = np.minimum(sequences, stride - 1)
        last = np.searchsorted(keys, events["sequence"] * stride + asked) - 1
        found = (last >= 0) & (self._labels["payment"][last] == events["sequence"])
        chosen = self._labels[last[found]]
        events["fraud"][found] = np.where(chosen["fraud"] == 1, 1, 2)
        events["labelled"][found] = chosen["sequence"]
