"""What people pay from day to day: shops, rent, bills, savings, friends; and what others send them."""

from __future__ import annotations

from collections.abc import Iterator

from models_zoo.fraud.causal.view import DAY, HOUR, MINUTE
from models_zoo.fraud.simulation.records import Customer, Generated, Shop
from models_zoo.fraud.simulation.world import SHOPS, World


def everyday(world: World) -> Iterator[Generated]:
    """All of it, in no order."""
    for person in world.customers:
        yield from _shopping(world, person)
        yield from _friends(world, person)


def favourite(world: World, person: Customer) -> Shop:
    """One of the person's shops, the first ones most often."""
    return person.shops[min(int(world.rng.geometric(0.22)) - 1, len(person.shops) - 1)]


def _shopping(world: World, person: Customer) -> Iterator[Generated]:
    for day in range(int(person.opened), world.days):
        if day >= person.closed:
            return
        busy = 1.3 if day % 7 >= 4 else 0.9
        for _ in range(int(world.rng.poisson(person.rate * busy))):
            shop = _shop(world, person)
            when = day * DAY + world.hour(person.hour)
            yield world.buy(person, shop, when, world.amount(shop.median, shop.spread))


def _shop(world: World, person: Customer) -> Shop:
    """Mostly a favourite; now and then any other, or one where nobody of this bank has been before."""
    if world.chance(0.85):
        return favourite(world, person)
    if world.chance(0.7):
        return world.pick(world.shops)
    return world.shop(world.pick(SHOPS)[0])


def month(world: World, person: Customer, paid: float) -> Iterator[Generated]:
    """What follows a salary that came at `paid`: rent, bills, savings, a part for the partner or the family."""
    rent, when = round(person.income * 0.3, -1), paid + world.wait(20) * HOUR
    yield Generated(when, person.account, person.landlord, rent, "debit")
    if owner := world.managers.get(person.landlord):
        on = when + world.uniform(2, 40) * HOUR
        yield Generated(on, person.landlord, owner, round(rent * world.uniform(0.9, 0.97), 2), "transfer")
    for company, median in person.providers:
        bill = (int(paid / DAY) + company.payday % 5) * DAY + world.uniform(1, 20) * HOUR
        yield Generated(bill, person.account, company.account, world.amount(median, 0.1), "debit")
    aside = paid + world.wait(5) * HOUR
    part = round(person.income * world.uniform(0.08, 0.5), -1)
    yield world.send(person, person.savings, aside, part, "transfer")
    if world.chance(0.25):
        back = aside + world.uniform(4, 15) * DAY
        yield Generated(back, person.savings, person.account, world.amount(400, 0.6), "instant")
    if person.partner and person.account % 3 == 0:
        soon, part = paid + world.wait(50) * MINUTE, person.income * world.uniform(0.3, 0.6)
        yield world.send(person, person.partner.account, soon, round(part, -1))
    if person.family and person.account % 7 == 0:
        soon = paid + world.wait(30) * HOUR
        yield world.send(person, person.family[-1].account, soon, world.amount(150, 0.6))


def _friends(world: World, person: Customer) -> Iterator[Generated]:
    end = min(world.days, person.closed)
    for _ in range(int(world.rng.poisson(0.05 * max(end - person.opened, 0)))):
        day = int(world.uniform(person.opened, end))
        channel = "instant" if world.chance(0.7) else "transfer"
        when, amount = day * DAY + world.hour(person.hour + 3), world.amount(28, 1.0)
        if world.chance(0.2):
            yield world.send(world.somebody(when, 1.0), person.account, when, amount, channel)
            continue
        other = world.pick(person.friends).account if world.chance(0.7) else world.outsider()
        yield world.send(person, other, when, amount, channel)
