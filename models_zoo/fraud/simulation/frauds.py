"""All fraud of a world, as often as `typologies` says, and when each of it becomes known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from models_zoo.fraud.causal.view import DAY
from models_zoo.fraud.simulation import theft
from models_zoo.fraud.simulation.laundering import Ring, cycle, scatter_gather
from models_zoo.fraud.simulation.records import Generated
from models_zoo.fraud.simulation.world import World
from models_zoo.fraud.typologies import (
    BUST_OUT,
    CARD_TESTING,
    CYCLE,
    INVOICE,
    MULE,
    SCATTER,
    TAKEOVER,
    TYPOLOGIES,
)


def frauds(world: World) -> Iterator[Generated]:
    """Every fraudulent payment and what belongs to it, in no order.

    At least one episode of each kind, unless no company owes anything whose invoice could be redirected.
    To be drawn before the honest side: it takes invoices from those still to be paid and closes accounts.
    """
    if not world.fraud:
        return
    rings = [Ring(world) for _ in range(_episodes(world, MULE))]
    episodes: dict[str, Callable[[], Iterator[Generated]]] = {
        CARD_TESTING: lambda: theft.card_testing(world),
        TAKEOVER: lambda: theft.take_over(world, rings),
        CYCLE: lambda: cycle(world),
        SCATTER: lambda: scatter_gather(world),
        INVOICE: lambda: theft.redirected_invoices(world, rings),
        BUST_OUT: lambda: theft.bust_out(world, rings),
    }
    for ring in rings:
        yield from _reported(world, ring.payments())
    for name, episode in episodes.items():
        for _ in range(_episodes(world, name)):
            yield from _reported(world, episode())


def _episodes(world: World, name: str) -> int:
    return max(1, round(world.fraud * world.scale * TYPOLOGIES[name].episodes))


def _reported(world: World, episode: Iterator[Generated]) -> Iterator[Generated]:
    """With the time at which it becomes known: one delay an episode and typology, a little apart a payment."""
    delays: dict[str, float] = {}
    for one in episode:
        if not one.typology:
            yield one
            continue
        if one.typology not in delays:
            delays[one.typology] = _delay(world, one.typology)
        yield replace(one, known=one.time + delays[one.typology] * world.uniform(0.8, 1.2))


def _delay(world: World, name: str) -> float:
    """Seconds until an episode is reported, infinite if it never is."""
    kind = TYPOLOGIES[name]
    if world.chance(kind.unreported):
        return math.inf
    return kind.delay * float(np.exp(world.rng.normal(0, 0.6))) * DAY
