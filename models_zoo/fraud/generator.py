"""Payments of a seeded world: the same arguments always give the same list. See `simulation` for what is in it."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.events import LABEL, PAYMENT, Records, channel_index
from models_zoo.fraud.features import DAY
from models_zoo.fraud.simulation.business import business
from models_zoo.fraud.simulation.everyday import everyday
from models_zoo.fraud.simulation.frauds import frauds
from models_zoo.fraud.simulation.lookalikes import lookalikes
from models_zoo.fraud.simulation.records import Generated
from models_zoo.fraud.simulation.world import World

__all__ = ["START", "Generated", "as_payments", "generate", "labelled"]

START = 1_767_571_200.0
"""Monday 2026-01-05 00:00 UTC."""


def generate(seed: int, customers: int, days: int, fraud: float = 1.0) -> list[Generated]:
    """A world's payments in order of time; about `fraud` in a hundred are fraudulent.

    `customers` and `days` are at least 1; companies, shops and accounts elsewhere come on top.
    """
    world = World(seed, customers, days, fraud)
    made = [*frauds(world), *lookalikes(world), *everyday(world), *business(world)]
    kept = (one for one in made if 0 <= one.time < days * DAY and one.payer != one.payee)
    return sorted(kept, key=lambda one: (one.time, one.payer))


def as_payments(made: list[Generated]) -> Records:
    """PAYMENT [N] of a generated stream; sequence is the place in it, from 1."""
    batch = np.zeros(len(made), PAYMENT)
    batch["sequence"] = np.arange(1, len(made) + 1)
    batch["time"] = [START + one.time for one in made]
    batch["channel"] = [channel_index(one.channel) for one in made]
    for name in ("payer", "payee", "device", "merchant", "amount"):
        batch[name] = [getattr(one, name) for one in made]
    return batch


def labelled(made: list[Generated]) -> tuple[Records, Records]:
    """PAYMENT [N] and LABEL [M] of one ingest sequence: a report takes its place when it becomes known.

    What becomes known after the last payment, or never, has no label.
    """
    payments = as_payments(made)
    known = np.array([START + one.known for one in made])
    told = np.nonzero(known <= payments["time"].max(initial=0))[0]
    order = np.argsort(np.concatenate([payments["time"], known[told]]), kind="stable")
    sequence = np.empty(len(order), np.int64)
    sequence[order] = np.arange(1, len(order) + 1)
    payments["sequence"] = sequence[: len(made)]
    labels = np.zeros(len(told), LABEL)
    labels["sequence"], labels["time"] = sequence[len(made) :], known[told]
    labels["payment"], labels["fraud"] = payments["sequence"][told], 1
    return payments, labels[np.argsort(labels["sequence"])]
