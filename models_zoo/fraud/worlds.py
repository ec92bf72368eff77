"""Data sets from generated worlds, split by time, and neighbourhoods of whole streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.events import Records
from models_zoo.fraud.features import DAY, Neighbourhood
from models_zoo.fraud.generator import START, as_payments, generate
from models_zoo.fraud.history import MemoryHistory

WARM_UP = 7
"""Days at the start of a world that fill histories and are neither trained on nor measured."""


@dataclass(slots=True, frozen=True)
class Stream:
    """A world's payments with their neighbourhoods, labels bool [N] and day of each, float [N]."""

    near: Neighbourhood
    labels: NDArray[np.bool_]
    day: NDArray[np.float64]

    def part(self, index: NDArray[np.int64]) -> Stream:
        """Some rows of it."""
        return Stream(self.near.rows(index), self.labels[index], self.day[index])

    def between(self, first: float, last: float) -> Stream:
        """The rows of days first <= day < last."""
        return self.part(np.nonzero((self.day >= first) & (self.day < last))[0])


def replay(batch: Records) -> Neighbourhood:
    """Neighbourhood of each payment of a whole stream, as it was when the payment arrived."""
    history = MemoryHistory()
    history.append(batch)
    payer = history.before(batch["payer"], batch["sequence"])
    return Neighbourhood(batch, payer, history.before(batch["payee"], batch["sequence"]))


def stream(seed: int, customers: int, days: int) -> Stream:
    """The stream of a generated world."""
    made = generate(seed, customers, days)
    batch = as_payments(made)
    labels = np.array([bool(one.typology) for one in made])
    return Stream(replay(batch), labels, (batch["time"] - START) / DAY)


def joined(streams: list[Stream]) -> Stream:
    """Several streams one after another; only for training, where order no longer matters."""
    near = Neighbourhood(
        np.concatenate([one.near.payment for one in streams]),
        np.concatenate([one.near.payer for one in streams]),
        np.concatenate([one.near.payee for one in streams]),
    )
    labels = np.concatenate([one.labels for one in streams])
    return Stream(near, labels, np.concatenate([one.day for one in streams]))


def thinned(whole: Stream, keep: float, seed: int) -> Stream:
    """All frauds and a random share of the genuine payments, shuffled."""
    rng = np.random.default_rng(seed)
    chosen = np.nonzero(whole.labels | (rng.random(len(whole.labels)) < keep))[0]
    return whole.part(rng.permutation(chosen))
