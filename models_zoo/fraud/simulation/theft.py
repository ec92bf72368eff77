"""How money is stolen: cards that are tried out, accounts taken over, invoices redirected, credit run away with.

Part of each kind is quiet: one or two payments like the victim's own, from the victim's own device.
"""

from __future__ import annotations

from collections.abc import Iterator

from models_zoo.fraud.causal.view import DAY, HOUR, MINUTE
from models_zoo.fraud.simulation.laundering import Ring, stake
from models_zoo.fraud.simulation.records import Customer, Generated, Shop
from models_zoo.fraud.simulation.world import World
from models_zoo.fraud.typologies import BUST_OUT, CARD_TESTING, INVOICE, TAKEOVER


def card_testing(world: World) -> Iterator[Generated]:
    """Stolen cards, one or many, are tried at shops that check little; those that work buy what sells on well."""
    when, device = world.moment(), world.number()
    careless = [world.pick(world.kinds("apps", "subscription", "online")) for _ in range(2)]
    for _ in range(world.many(1, 1.7)):
        when += world.wait(30) * MINUTE
        used = device if world.chance(0.5) else world.number()
        yield from _card(world, world.customer(when), careless, when, used)


def _card(
    world: World, victim: Customer, careless: list[Shop], when: float, device: int
) -> Iterator[Generated]:
    quiet = world.chance(0.4)
    for _ in range(1 if quiet else world.many(1, 2)):
        shop = world.pick(careless)
        when += world.wait(4) * MINUTE
        tried = world.amount(shop.median if quiet else 2.2, 0.4 if quiet else 0.6)
        yield world.buy(victim, shop, when, tried, CARD_TESTING, device)
    when += world.wait(1500 if quiet else 120) * MINUTE
    for _ in range(1 if quiet else world.some(0, 2)):
        when += world.wait(10) * MINUTE
        shop = world.pick(world.kinds("electronics", "vouchers", "online"))
        bought = world.amount(shop.median * (1.0 if quiet else 1.6), 0.9)
        yield world.buy(victim, shop, when, bought, CARD_TESTING, device)


def take_over(world: World, rings: list[Ring]) -> Iterator[Generated]:
    """A burst from the victim's account to mules, by a device of the thief's or by the victim's, controlled afar."""
    when, ring = world.moment(), world.pick(rings)
    victim, quiet = world.customer(when), world.chance(0.3)
    device = (ring.device if world.chance(0.3) else world.number()) if world.chance(0.55) else None
    own, usual = [world.stranger() for _ in range(2)], min(400, victim.income * 0.25) * stake(world)
    for _ in range(world.some(1, 2) if quiet else world.many(2, 2.5)):
        known = world.chance(0.5)
        mule = ring.mule() if known else world.pick(own)
        value = world.amount(90 if quiet else usual, 0.9)
        yield world.send(victim, mule.account, when, value, "instant", TAKEOVER, device)
        if known and world.chance(0.6):
            yield from ring.pass_on(mule, value, when)
        when += world.wait(300 if quiet else 15) * MINUTE


def redirected_invoices(world: World, rings: list[Ring]) -> Iterator[Generated]:
    """A forged letter: the next one to three invoices of a supplier are paid to a mule, as usual in all else."""
    owed = [(company, supply) for company in world.companies for supply in company.supplies if supply.due]
    if not owed:
        return
    victim, supply = world.pick(owed)
    ring, first = world.pick(rings), world.some(0, len(supply.due) - 1)
    mule = ring.mule() if world.chance(0.6) else world.stranger()
    count = world.some(1, 3)
    taken = supply.due[first : first + count]
    del supply.due[first : first + count]
    for when, amount in taken:
        value = amount if world.chance(0.7) else amount * world.uniform(1.0, 1.6)
        channel = "instant" if world.chance(0.2) else "transfer"
        yield world.send(victim, mule.account, when, value, channel, INVOICE)
        yield from ring.pass_on(mule, value, when + world.wait(2) * HOUR)


def bust_out(world: World, rings: list[Ring]) -> Iterator[Generated]:
    """A good customer for weeks, then the whole credit line leaves in days and nobody is heard of again."""
    when = max(world.moment(), 0.2 * world.days * DAY)
    person, pace = world.customer(when), (20, 6, 6, 1)[world.some(0, 3)]
    credit = round(person.income * world.uniform(1, 4), -2)
    if world.chance(0.7):
        yield Generated(when, world.bank, person.account, credit, "transfer")
    ring = world.pick(rings)
    for _ in range(world.some(4, 11) if pace > 1 else world.some(6, 16)):
        when += world.wait(pace) * HOUR
        if world.chance(0.6):
            shop = world.pick(world.kinds("electronics", "vouchers", "exchange", "cash", "online"))
            yield world.buy(person, shop, when, world.amount(shop.median * 1.9, 0.7), BUST_OUT)
        else:
            payee = world.pick(ring.collectors) if world.chance(0.3) else world.outsider()
            yield world.send(person, payee, when, world.amount(credit * 0.1, 0.8), typology=BUST_OUT)
    person.closed = min(person.closed, when / DAY)
