"""Payments of a seeded world: the same arguments always give the same list. See `simulation` for what is in it."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import DAY
from models_zoo.fraud.events import PAYMENT, Records, channel_index
from models_zoo.fraud.simulation.business import business
from models_zoo.fraud.simulation.everyday import everyday
from models_zoo.fraud.simulation.frauds import frauds
from models_zoo.fraud.simulation.lookalikes import lookalikes
from models_zoo.fraud.simulation.population import settle
from models_zoo.fraud.simulation.records import Generated
from models_zoo.fraud.simulation.world import World

__all__ = ["START", "Generated", "as_payments", "generate"]

START = 1_767_571_200.0
"""Monday 2026-01-05 00:00 UTC."""


def generate(seed: int, customers: int, days: int, fraud: float = 1.0) -> list[Generated]:
    """A world's payments in order of time; about `fraud` in a hundred are fraudulent.

    `customers` and `days` are at least 1; companies, shops and accounts elsewhere come on top.
    """
    world = settle(World(seed, customers, days, fraud))
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
