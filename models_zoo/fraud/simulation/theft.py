"""How money is stolen: cards that are tried out, accounts taken over, invoices redirected, credit run away with.

Part of each kind is quiet: one or two payments like the victim's own, from the victim's own device.
"""

from __future__ import annotations

from collections.abc import Iterator

from models_zoo.fraud.causal.view import DAY, HOUR, MINUTE
from models_zoo.fraud.simulation.deception import fake_shop, false_creditor, order, scam
from models_zoo.fraud.simulation.laundering import Ring, stake
from models_zoo.fraud.simulation.records import Company, Customer, Generated, Shop
from models_zoo.fraud.simulation.world import World
from models_zoo.fraud.typologies import BUST_OUT, CARD_TESTING, INVOICE, TAKEOVER


def card_testing(world: World) -> Iterator[Generated]:
    """Stolen cards, one or many, are tried at shops that check little; those that work buy what sells on well.

    Some are tried by a machine, many within minutes; some are used at counters without any trial.
    """
    when, device = world.moment(), world.number()
    if world.chance(0.14):
        yield from false_creditor(world) if world.chance(0.25) else _machine(world, when, device)
        return
    if world.chance(0.35):
        yield from _counters(world, world.customer(when), when)
        return
    careless = [world.pick(world.kinds("apps", "subscription", "online")) for _ in range(2)]
    for _ in range(world.many(1, 1.7)):
        when += world.wait(30) * MINUTE
        used = device if world.chance(0.5) else world.number()
        yield from _card(world, world.customer(when), careless, when, used)


def _card(
    world: World, victim: Customer, careless: list[Shop], when: float, device: int
) -> Iterator[Generated]:
    quiet, often = world.chance(0.4), world.chance(0.35)
    for _ in range(1 if quiet else world.many(4, 4) if often else world.many(1, 2)):
        shop = world.pick(careless)
        when += world.wait(1 if often else 4) * MINUTE
        tried = world.amount(shop.median if quiet else 2.2, 0.4 if quiet else 0.6)
        yield world.buy(victim, shop, when, tried, CARD_TESTING, device)
    when += world.wait(1500 if quiet else 15 if world.chance(0.5) else 120) * MINUTE
    for _ in range(1 if quiet else world.some(0, 2)):
        when += world.wait(10) * MINUTE
        shop = _sells_on(world, "electronics", "vouchers", "online")
        bought = world.amount(shop.median * (1.0 if quiet else 1.8), 0.9) * (1.0 if quiet else stake(world))
        yield world.buy(victim, shop, when, bought, CARD_TESTING, device)


def _machine(world: World, when: float, device: int) -> Iterator[Generated]:
    """Numbers of cards, mostly of other banks, or one number with unlike dates, tried at one shop by one machine or a
    few, seconds apart."""
    shop = _sells_on(world, "apps", "subscription", "online", "vouchers")
    devices = [device, *(world.number() for _ in range(world.many(0, 1)))]
    price, pace = world.uniform(1, 60), world.uniform(1, 40)
    one = world.somebody(when, 0.5) if world.chance(0.4) else None
    spread = (0.0, 0.3, 1.0)[world.some(0, 2)]
    for _ in range(world.some(15, 60)):
        when += world.wait(pace)
        tried = world.amount(price, spread)
        holder = one or world.somebody(when, 0.7)
        yield world.buy(holder, shop, when, tried, CARD_TESTING, world.pick(devices))


def _counters(world: World, victim: Customer, when: float) -> Iterator[Generated]:
    """A card that was stolen or copied, or a phone, goes from counter to counter until somebody misses it."""
    usual, pace = 180 * stake(world, 0.6), 15 if world.chance(0.6) else 180
    device = None if world.chance(0.3) else 0
    if world.chance(0.4):
        yield world.buy(victim, world.shop("grocery"), when, world.amount(12, 0.6), CARD_TESTING, device)
    for _ in range(world.many(1, 2.5)):
        when += world.wait(pace) * MINUTE
        kind = "cash" if world.chance(0.2) else "venue" if world.chance(0.7) else "fuel"
        shop = world.shop(kind, channel="cash" if kind == "cash" else "card")
        yield world.buy(victim, shop, when, world.amount(usual, 0.9), CARD_TESTING, device)


def _sells_on(world: World, *kinds: str) -> Shop:
    """A shop of one of the kinds, known here or not."""
    known = world.pick(world.kinds(*kinds))
    return known if world.chance(0.6) else world.shop(known.kind)


def take_over(world: World, rings: list[Ring]) -> Iterator[Generated]:
    """A burst from the victim's account to mules or shops, by a device of the thief's or by the victim's, controlled
    afar or by the victim, who was talked into it."""
    when, ring = world.moment(), world.pick(rings)
    if world.chance(0.2):
        yield from scam(world, ring)
        return
    victim, quiet = world.customer(when), world.chance(0.3)
    device = (ring.device if world.chance(0.3) else world.number()) if world.chance(0.55) else None
    own, pace = [world.stranger() for _ in range(world.some(1, 2))], 300 if quiet else 15
    usual, spread = 90.0 if quiet else _within_reach(world, victim), 0.9 if world.chance(0.7) else 0.1
    channel = ("instant", "instant", "instant", "transfer", "transfer", "debit", "online")[world.some(0, 6)]
    for _ in range(world.some(1, 2) if quiet else world.many(2, 2.5)):
        value, known = world.amount(usual, spread), world.chance(0.4)
        if channel == "online":
            yield world.buy(
                victim, _sells_on(world, "electronics", "vouchers"), when, value, TAKEOVER, device
            )
        else:
            mule, used = ring.mule() if known else world.pick(own), 0 if channel == "debit" else device
            yield world.send(victim, mule.account, when, value, channel, TAKEOVER, used)
            if known and world.chance(0.6):
                yield from ring.pass_on(mule, value, when)
        when += world.wait(pace) * MINUTE


def _within_reach(world: World, victim: Customer) -> float:
    """What a thief takes at a time: a part of the month's income, or of what has been saved."""
    return victim.income * world.uniform(0.1, 0.5) / world.level * stake(world)


def redirected_invoices(world: World, rings: list[Ring]) -> Iterator[Generated]:
    """A letter or a call in a false name: a supplier's, or the boss's."""
    companies = [*world.companies, *world.firms]
    owing = [company for company in companies if any(supply.due for supply in company.supplies)]
    if not owing:
        return
    victim = world.pick(owing)
    if world.chance(0.25):
        yield from order(world, victim, world.pick(rings))
    else:
        yield from redirected(world, victim, rings)


def redirected(world: World, victim: Company, rings: list[Ring]) -> Iterator[Generated]:
    """A forged letter: the next one to three invoices of a supplier are paid to a mule, as usual in all else."""
    supply = world.pick([supply for supply in victim.supplies if supply.due])
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
    """A good customer for weeks, then the whole credit line leaves in days or hours and nobody is heard of again. Or
    a shop that was none."""
    if world.chance(0.15):
        yield from fake_shop(world)
        return
    when = max(world.moment(), 0.2 * world.days * DAY)
    person, pace = world.customer(when), (20, 6, 1, 0.5)[world.some(0, 3)]
    credit = round(person.income * world.uniform(1, 4), -2)
    if world.chance(0.5):
        yield Generated(when, world.bank, person.account, credit, "transfer")
    ring, shopping = world.pick(rings), world.uniform(0.2, 1.0)
    part, spread = credit * world.uniform(0.04, 0.15) / world.level, 0.15 if world.chance(0.3) else 0.8
    channel = ("online", "card", "")[world.some(0, 2)]
    for _ in range(world.some(4, 11) if pace > 1 else world.some(6, 16)):
        when += world.wait(pace) * HOUR
        if world.chance(shopping):
            shop = _sells_on(world, "electronics", "vouchers", "exchange", "cash", "online")
            if channel and world.chance(0.7):
                shop = world.shop("electronics", channel=channel)
            yield world.buy(person, shop, when, world.amount(part, spread), BUST_OUT)
        else:
            payee = world.pick(ring.collectors) if world.chance(0.3) else world.outsider()
            yield world.send(person, payee, when, world.amount(part, spread), typology=BUST_OUT)
    person.closed = min(person.closed, when / DAY)
