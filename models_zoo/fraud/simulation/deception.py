"""How people are talked into paying: orders in the boss's name, scams that grow, shops and creditors that are none.

The payments are the victims' own, from their own devices; what tells them apart is who is paid, how much and how soon.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from models_zoo.fraud.causal.view import HOUR, MINUTE
from models_zoo.fraud.simulation.laundering import Ring
from models_zoo.fraud.simulation.records import Company, Generated
from models_zoo.fraud.simulation.world import World
from models_zoo.fraud.typologies import BUST_OUT, CARD_TESTING, INVOICE, TAKEOVER


def order(world: World, victim: Company, ring: Ring) -> Iterator[Generated]:
    """The boss, it seems, wants something paid at once and kept quiet: once, or until the money is gone."""
    mule = ring.mule() if world.chance(0.4) else world.stranger()
    when, times = world.office(world.uniform(1, world.days)), world.factor(2, 400)
    for _ in range(1 if world.chance(0.6) else world.some(2, 4)):
        value = rounded(world, world.amount(900 * victim.size * times, 0.4))
        channel = "instant" if world.chance(0.2) else "transfer"
        yield world.send(victim, mule.account, when, value, channel, INVOICE)
        yield from ring.pass_on(mule, value, when + world.wait(2) * HOUR)
        when += world.wait(2 if world.chance(0.6) else 20) * HOUR


def rounded(world: World, value: float) -> float:
    """Half of the large sums that somebody names are round."""
    digits = math.floor(math.log10(max(value, 1.0)))
    return round(value, -max(digits - 1, 0)) if world.chance(0.5) else value


def scam(world: World, ring: Ring) -> Iterator[Generated]:
    """A friend on the line or a sure investment: more and more to one account, over an hour or for days, often after
    savings were fetched."""
    when = world.moment()
    victim, mule = world.customer(when), ring.mule() if world.chance(0.3) else world.stranger()
    pace, grows = 0.3 if world.chance(0.4) else 20, world.uniform(0.8, 1.8)
    value = victim.income * world.factor(0.1, 40 if world.chance(0.25) else 3)
    channel = "transfer" if world.chance(0.5) else "instant"
    for _ in range(world.many(1, 1.2)):
        if world.chance(0.3):
            yield Generated(when - world.wait(60) * MINUTE, victim.savings, victim.account, value, "instant")
        paid = rounded(world, value * world.uniform(0.8, 1.2))
        yield world.send(victim, mule.account, when, paid, channel, TAKEOVER)
        when += world.wait(pace) * HOUR
        value *= grows


def fake_shop(world: World) -> Iterator[Generated]:
    """A shop that delivers nothing: a bargain, bought by many in hours or days, and its takings sent away."""
    when = world.moment()
    shop, price = world.shop("online", world.some(1, 2)), world.amount(140, 0.8)
    pace, taken = 15 if world.chance(0.5) else 200, 0.0
    bank, way = world.number(), "transfer" if world.chance(0.4) else "instant"
    for place in range(world.some(8, 30)):
        when += world.wait(pace) * MINUTE
        value = price if world.chance(0.6) else price * world.some(1, 4) * world.uniform(0.8, 1.2)
        yield world.buy(world.somebody(when, 0.3), shop, when, round(value, 2), BUST_OUT)
        taken += value
        if place % 6 == 5 and world.chance(0.6):
            moment, taken = when + world.wait(60) * MINUTE, taken * world.uniform(0.0, 0.3)
            yield Generated(moment, shop.account, bank, round(max(price * 3, taken), 2), way, BUST_OUT)


def false_creditor(world: World) -> Iterator[Generated]:
    """Bought account numbers are debited by somebody who has no mandate: one price, many payers, within hours."""
    when, creditor = world.moment(), world.number()
    price, pace = world.amount(45, 0.6), 1 if world.chance(0.6) else 30
    for _ in range(world.some(10, 40)):
        when += world.wait(pace) * MINUTE
        value = price if world.chance(0.8) else round(price * world.uniform(0.7, 1.5), 2)
        payer = world.somebody(when, 0.2)
        yield Generated(when, payer.account, creditor, value, "debit", CARD_TESTING)
    if world.chance(0.5):
        sent = price * world.some(8, 25)
        yield Generated(
            when + world.wait(10) * HOUR, creditor, world.outsider(), sent, "transfer", CARD_TESTING
        )
