"""Fraud in a generated world: account takeover, mule rings, card testing. Each episode varies in pace and size.

Part of every kind is deliberately quiet (one payment, office hours, amounts like the victim's own), so that
no detector can find all of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from models_zoo.fraud.features import DAY, HOUR, MINUTE
from models_zoo.fraud.generator import Customer, Generated, World

TAKEOVER, MULE, CARD_TESTING = "account_takeover", "mule_ring", "card_testing"


def frauds(world: World) -> Iterator[Generated]:
    """All fraudulent payments of the world, in no order. About one payment in a hundred at fraud = 1."""
    scale = world.fraud * world.customers_count * world.days / 1000
    rings = [_Ring(world) for _ in range(max(1, round(scale * 0.25)))]
    for ring in rings:
        yield from ring.payments()
    for _ in range(max(1, round(scale * 0.6))):
        yield from _takeover(world, rings)
    for _ in range(max(1, round(scale * 0.5))):
        yield from _card_testing(world)


def _victim(world: World, when: float) -> Customer:
    """A customer whose account exists at that time."""
    for _ in range(20):
        person = world.pick(world.customers)
        if person.opened * DAY < when:
            break
    return person


def _moment(world: World) -> float:
    """Start of an episode: any day but the first, at night a little more often than honest people pay."""
    hour = float(world.rng.uniform(0, 24)) * HOUR if world.chance(0.5) else world.hour(14)
    return int(world.rng.integers(1, max(world.days, 2))) * DAY + hour


class _Ring:
    """Mules who collect from scam victims and taken-over accounts and pass on to collectors within hours."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.start = _moment(world)
        self.mules = [self._mule() for _ in range(int(world.rng.integers(1, 5)))]
        self.collectors = [world.account() for _ in range(int(world.rng.integers(1, 3)))]
        if world.chance(0.4):
            self.collectors.append(world.exchanges[0].account)

    def _mule(self) -> int:
        """A recruited customer with an honest past, or an account opened for the purpose."""
        recruited = self.world.chance(0.6)
        return _victim(self.world, self.start).account if recruited else self.world.account()

    def mule(self) -> int:
        """One of the ring's mules."""
        return self.mules[int(self.world.rng.integers(len(self.mules)))]

    def payments(self) -> Iterator[Generated]:
        """Scam payments in over a day or two, each passed on in parts after minutes to hours."""
        world, when = self.world, self.start
        for _ in range(int(world.rng.integers(5, 16))):
            when += float(world.rng.exponential(3)) * HOUR
            victim = _victim(world, when)
            value = world.amount(min(480, victim.income * 0.3), 0.8)
            mule = self.mule()
            yield Generated(when, victim.account, mule, value, "instant", MULE)
            yield from self.pass_on(mule, value, when)

    def pass_on(self, mule: int, value: float, when: float) -> Iterator[Generated]:
        """Money leaves the mule for one or two collectors, less a commission; sometimes after a night."""
        world = self.world
        quick = world.chance(0.75)
        moment = when + float(world.rng.exponential(25 if quick else 400)) * MINUTE
        parts = 2 if value > 300 and world.chance(0.4) else 1
        for _ in range(parts):
            collector = self.collectors[int(world.rng.integers(len(self.collectors)))]
            part = round(value / parts * float(world.rng.uniform(0.85, 0.98)), 2)
            moment += float(world.rng.exponential(6)) * MINUTE
            yield Generated(moment, mule, collector, max(part, 0.5), "instant", MULE)


def _takeover(world: World, rings: list[_Ring]) -> Iterator[Generated]:
    """A burst from the victim's account to mules, some of them of a known ring, which pass the money on."""
    when = _moment(world)
    victim = _victim(world, when)
    ring = rings[int(world.rng.integers(len(rings)))]
    quiet = world.chance(0.25)
    count = int(world.rng.integers(1, 3)) if quiet else int(world.rng.integers(2, 8))
    own = [world.account() for _ in range(2)]
    for _ in range(count):
        when += float(world.rng.exponential(240 if quiet else 6)) * MINUTE
        known = world.chance(0.5)
        mule = ring.mule() if known else own[int(world.rng.integers(2))]
        value = world.amount(90 if quiet else min(520, victim.income * 0.3), 0.7)
        yield Generated(when, victim.account, mule, value, "instant", TAKEOVER)
        if known and world.chance(0.6):
            yield from ring.pass_on(mule, value, when)


def _card_testing(world: World) -> Iterator[Generated]:
    """Tiny payments at shops that check little, then purchases that sell on well. Quiet ones test once."""
    when = _moment(world)
    victim = _victim(world, when)
    shops = world.shops
    for _ in range(int(world.rng.integers(1, 7))):
        when += float(world.rng.exponential(3)) * MINUTE
        shop = shops[int(world.rng.integers(len(shops)))]
        yield Generated(when, victim.account, shop.account, world.amount(1.8, 0.5), "online", CARD_TESTING)
    when += float(world.rng.exponential(90)) * MINUTE
    resale = [shop for shop in shops if shop.channel == "online" and shop.median > 35]
    for _ in range(int(world.rng.integers(1, 5))):
        when += float(world.rng.exponential(8)) * MINUTE
        shop = resale[int(world.rng.integers(len(resale)))]
        yield Generated(
            when, victim.account, shop.account, world.amount(shop.median * 2.2, 0.5), "online", CARD_TESTING
        )
