"""Honest episodes of the same shapes as fraud: many in and one out, circles, hubs, bursts, first payments.

Each yields the payments of one episode of one person that begins at `when`, seconds of the world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from models_zoo.fraud.causal.view import DAY, HOUR, MINUTE
from models_zoo.fraud.simulation.everyday import favourite
from models_zoo.fraud.simulation.records import Customer, Generated, Holder
from models_zoo.fraud.simulation.world import SHOPS, World


def lookalikes(world: World) -> Iterator[Generated]:
    """All honest episodes, in no order."""
    for episode, often in EPISODES.items():
        for _ in range(int(world.rng.poisson(often * world.scale))):
            when = world.uniform(2, world.days) * DAY
            yield from episode(world, world.customer(when), when)


def collect(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A treasurer or host: many pay in, one large payment out soon after."""
    share, count = world.amount(25, 1.0), world.some(4, 12)
    pace = 0.4 if world.chance(0.25) else 3.0
    for _ in range(count):
        when += world.wait(pace) * HOUR
        yield world.send(world.somebody(when, 0.2), person.account, when, share)
    soon, total = when + world.wait(150) * MINUTE, share * count
    if world.chance(0.5):
        yield world.buy(person, world.pick(world.kinds("venue")), soon, total)
    else:
        yield world.send(person, world.outsider(), soon, total)


def spree(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A holiday or a sale: many purchases at places new to the person or to all, some from a borrowed device."""
    device = world.number() if world.chance(0.3) else None
    away, pace = world.chance(0.5), 25 if world.chance(0.6) else 400
    for _ in range(world.some(3, 12) if away else world.some(3, 8)):
        shop = world.shop(world.pick(SHOPS)[0]) if away else world.pick(world.shops)
        when += world.wait(pace) * MINUTE
        yield world.buy(person, shop, when, world.amount(shop.median * 1.8, 0.8), device=device)


def trader(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """Sells to strangers and empties the balance to savings, an exchange or a supplier."""
    total = 0.0
    for _ in range(world.some(3, 8)):
        when += world.wait(7) * HOUR
        price = world.amount(140, 1.0)
        total += price
        yield world.send(world.somebody(when), person.account, when, price)
    soon, value = when + world.wait(90) * MINUTE, round(total * world.uniform(0.85, 1.0), 2)
    target = (person.savings, world.pick(world.kinds("exchange")).account, world.outsider())[world.some(0, 2)]
    yield world.send(person, target, soon, value)


def errand(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """Money received for somebody else's purchase and passed on, to the cent or less what it cost."""
    value = world.amount(180, 1.1)
    yield world.send(world.pick(person.friends), person.account, when, value)
    soon = when + world.wait(100) * MINUTE
    payee = world.outsider() if world.chance(0.6) else world.customer(soon).account
    yield world.send(person, payee, soon, value * (1.0 if world.chance(0.3) else world.uniform(0.85, 1.0)))


def taps(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """Trials, app stores, vending: several tiny payments, then sometimes a real purchase."""
    small = world.kinds("apps", "subscription", "transit", "online")
    device = world.number() if world.chance(0.25) else None
    for _ in range(world.some(1, 6)):
        when += world.wait(9) * MINUTE
        yield world.buy(person, world.pick(small), when, world.amount(2.4, 0.6), device=device)
    if world.chance(0.5):
        shop = world.pick(world.shops) if world.chance(0.5) else favourite(world, person)
        soon = when + world.wait(60) * MINUTE
        yield world.buy(person, shop, soon, world.amount(shop.median * 2, 0.7), device=device)


def large(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A car, a gift, a builder: far above what the account usually pays, often to somebody new. Or a house, whose
    price comes from a bank or from savings and goes to a notary's account or the seller's."""
    value, payee = world.amount(person.income * 0.6, 1.1) / world.level, world.outsider()
    house = world.chance(0.05)
    if house:
        value *= world.factor(4, 80)
    if world.chance(0.85 if house else 0.4):
        source = world.bank if house and world.chance(0.6) else person.savings
        channel = "transfer" if source == world.bank else "instant"
        yield Generated(when - world.wait(40) * MINUTE, source, person.account, value, channel)
    if house and world.chance(0.7):
        payee = world.pick(world.offices)
    elif world.chance(0.35):
        payee = world.customer(when).account
    yield world.send(person, payee, when, value, "instant" if world.chance(0.5) else "transfer")


def car(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """Bought from somebody else, at what a car costs and not at what the buyer earns."""
    value = round(world.factor(3000, 25_000) * world.level, -2 if world.chance(0.7) else 0)
    if world.chance(0.4):
        before = when - world.wait(10) * HOUR
        yield Generated(before, person.savings, person.account, value, "instant")
    payee = world.number() if world.chance(0.7) else world.customer(when).account
    yield world.send(person, payee, when, value, "instant" if world.chance(0.5) else "transfer")


def bill(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A dentist, a craftsman, a first rent, a nephew, savings elsewhere: what people transfer to a new account."""
    value, draw = world.amount(160, 1.1), world.uniform(0, 1)
    payee = (
        world.number() if draw < 0.25 else world.outsider() if draw < 0.7 else world.customer(when).account
    )
    if world.chance(0.35):
        value = round(person.income * world.uniform(0.05, 0.6), -1)
    times = world.some(2, 4) if world.chance(0.3) else 1
    for place in range(times):
        channel = "transfer" if world.chance(0.6) else "instant"
        yield world.send(person, payee, when + place * 30 * DAY, value, channel)


def payout(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """An insurer, a buyer or an estate pays once; part of it is soon paid on or saved."""
    payer = world.pick(world.companies) if world.chance(0.5) else Holder(world.outsider(), [(0.0, 0)])
    value = world.amount(person.income * world.factor(0.05, 3), 0.3) / world.level
    yield world.send(payer, person.account, when, value, "transfer" if world.chance(0.7) else "instant")
    if world.chance(0.4):
        payee = person.savings if world.chance(0.4) else world.outsider()
        soon = when + world.wait(20) * HOUR
        yield world.send(person, payee, soon, value * world.uniform(0.2, 1.0), "transfer")


def game(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A child with a phone: the same few cents or euros again and again, at one shop."""
    shop, price = world.pick(world.kinds("apps", "subscription", "transit")), world.amount(1.8, 0.9)
    for _ in range(world.many(3, 4)):
        when += world.wait(4) * MINUTE
        yield world.buy(person, shop, when, price)


def evening(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """From place to place, most of them new to the person, some to all."""
    for _ in range(world.some(3, 7)):
        when += world.wait(35) * MINUTE
        kind = ("restaurant", "grocery", "transit", "venue", "cash")[world.some(0, 4)]
        shop = world.shop(kind) if world.chance(0.3) else world.pick(world.kinds(kind))
        yield world.buy(person, shop, when, world.amount(shop.median * 0.7, 0.6))


def first_debits(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A new club or insurer draws from its members, all in one file in the morning, from month to month."""
    creditor, price, fixed = world.outsider(), world.amount(35, 0.7), world.chance(0.6)
    members = [world.somebody(when, 0.3) for _ in range(world.some(4, 25))]
    for day in range(int(when / DAY), world.days, 30):
        due = world.office(day)
        for member in members:
            value = price if fixed else round(price * world.spread(0, 0.4), 2)
            yield Generated(due + world.wait(2), member.account, creditor, value, "debit")


def dear(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A kitchen, jewellery, a journey, taxes: far above the usual, by card or to where everybody pays."""
    value = world.amount(person.income * 0.35, 0.8) / world.level
    if world.chance(0.05):
        value *= world.uniform(2, 8)
    if world.chance(0.4):
        office = world.pick(world.offices)
        if world.chance(0.5):
            yield Generated(when, person.account, office, round(value, 2), "debit")
        else:
            yield world.send(person, office, when, value, "transfer")
        return
    known = world.chance(0.5)
    channel = "online" if world.chance(0.4) else "card"
    shop = world.pick(world.kinds("electronics", "venue")) if known else world.shop("venue", channel=channel)
    deposit = value * 0.2 if world.chance(0.25) else 0.0
    if deposit:
        yield world.buy(person, shop, when - world.uniform(1, 20) * DAY, round(deposit, 2))
    yield world.buy(person, shop, when, round(value - deposit, 2))


def mandate(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A new insurance, gym or shop draws from the account, once or from month to month."""
    creditor = world.outsider() if world.chance(0.6) else world.pick(world.companies).account
    value = world.amount(45, 1.0)
    for day in range(int(when / DAY), world.days, 30)[: world.some(1, 4)]:
        due = world.office(day)
        yield Generated(due, person.account, creditor, round(value * world.uniform(0.9, 1.1), 2), "debit")


def opening(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A shop's first day or the sale of tickets: many who never paid there, some at one machine that names itself."""
    shop = world.shop(world.pick(["grocery", "restaurant", "venue", "online", "apps"]))
    machine = world.number() if world.chance(0.2) else None
    pace = world.uniform(0.2, 4)
    for _ in range(world.some(15, 60)):
        when += world.wait(pace) * MINUTE
        yield world.buy(world.somebody(when, 0.3), shop, when, world.amount(shop.median, 0.5), device=machine)


def new_phone(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A new device that is set up by paying with it: apps first, then a person or two."""
    device = world.number()
    person.devices = sorted([*person.devices, (when, device)])
    for _ in range(world.some(0, 2)):
        when += world.wait(20) * MINUTE
        shop = world.pick(world.kinds("apps", "subscription"))
        yield world.buy(person, shop, when, world.amount(shop.median, 0.4), device=device)
    for _ in range(world.some(1, 3)):
        when += world.wait(150) * MINUTE
        payee = world.outsider() if world.chance(0.5) else world.pick(person.friends).account
        yield world.send(person, payee, when, world.amount(110, 1.0), device=device)


def move(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A new home or a renovation, half of them on credit: deposit, movers, furniture, kitchen in a few days."""
    if world.chance(0.5):
        credit = round(person.income * world.uniform(1, 4), -2)
        yield Generated(when, world.bank, person.account, credit, "transfer")
        when += world.wait(10) * HOUR
        if world.chance(0.5):
            kitchen, value = world.outsider(), round(credit * world.uniform(0.3, 0.95), 2)
            yield world.send(person, kitchen, when, value, "transfer" if world.chance(0.6) else "instant")
            when += world.wait(10) * HOUR
    pace = 5 if world.chance(0.5) else 18
    for _ in range(world.some(3, 8)):
        when += world.wait(pace) * HOUR
        if world.chance(0.45):
            shop = world.pick(world.kinds("electronics", "online", "venue", "cash"))
            yield world.buy(person, shop, when, world.amount(shop.median * 2.2, 0.6))
        else:
            payee = world.outsider() if world.chance(0.7) else world.customer(when).account
            yield world.send(person, payee, when, world.amount(420, 0.9))


def circle(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A family or friends settle among themselves: the money goes round and comes back smaller."""
    among = person.family if world.chance(0.6) and len(person.family) >= 2 else person.friends
    order, value = [person, *among[: world.some(2, 4)]], world.amount(220, 1.0)
    for payer, payee in zip(order, order[1:] + order[:1], strict=True):
        if payer is not payee:
            yield world.send(payer, payee.account, when, value)
        when += world.wait(4 if world.chance(0.6) else 20) * HOUR
        value *= 1.0 if world.chance(0.2) else world.uniform(0.85, 1.0)


def gather(world: World, person: Customer, when: float) -> Iterator[Generated]:
    """A gift, a refund or a bonus to several people, most of whom pay the same host or shop with it."""
    several = [world.customer(when) for _ in range(world.some(3, 7))]
    if world.chance(0.4):
        several = person.family + person.friends[:2]
    payer = world.pick(world.companies) if world.chance(0.4) else person
    target = world.pick(world.kinds("venue", "electronics")).account
    if world.chance(0.6):
        target = world.outsider() if world.chance(0.6) else world.customer(when).account
    value = world.amount(170, 0.9)
    for one in several:
        when += world.wait(25) * MINUTE
        part = round(value * (1.0 if world.chance(0.4) else world.uniform(0.7, 1.3)), 2)
        yield world.send(payer, one.account, when, part)
        if world.chance(0.8):
            soon = when + world.wait(7) * HOUR
            yield world.send(
                one, target, soon, part * (1.0 if world.chance(0.3) else world.uniform(0.8, 1.0))
            )


Episode = Callable[[World, Customer, float], Iterator[Generated]]
EPISODES: dict[Episode, float] = {
    new_phone: 0.6,
    collect: 0.8,
    spree: 2.4,
    trader: 0.6,
    errand: 1.6,
    taps: 1.8,
    large: 3.6,
    dear: 3.0,
    mandate: 2.0,
    opening: 0.03,
    move: 1.2,
    bill: 16.0,
    car: 0.5,
    payout: 2.0,
    game: 2.5,
    evening: 1.5,
    first_debits: 0.02,
    circle: 0.8,
    gather: 0.45,
}
"""Episodes per 1,000 customers and day."""
