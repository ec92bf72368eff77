"""A seeded world of accounts that pay each other: genuine habits first, fraud in `typologies`.

The genuine side is made to look suspicious now and then, as real customers do: paydays forwarded to a
partner within the hour, treasurers who collect from twenty people and pay a venue the same evening, traders
who sell to strangers, movers and holiday makers who pay many new places, night workers, new accounts. A rule
such as "many new payees" or "money in, money out" therefore fires on honest people most of the time.

Everything is invented; no real person, account or data set stands behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from models_zoo.fraud.events import PAYMENT, Records, channel_index
from models_zoo.fraud.features import DAY, HOUR, MINUTE

START = 1_767_571_200.0
"""Monday 2026-01-05 00:00 UTC."""
GENUINE = ""


@dataclass(slots=True, frozen=True)
class Generated:
    """One generated payment; `typology` is "" for a genuine one. Accounts are numbers of the world."""

    time: float
    payer: int
    payee: int
    amount: float
    channel: str
    typology: str = GENUINE


@dataclass(slots=True, frozen=True)
class Shop:
    """A merchant: median amount, spread (log scale), channel."""

    account: int
    median: float
    spread: float
    channel: str


@dataclass(slots=True)
class Customer:
    """A person's account and habits; `rate` is purchases a day, `hour` the middle of their waking day."""

    account: int
    income: float
    rate: float
    hour: float
    opened: float
    employer: int
    payday: int
    partner: int | None = None
    shops: list[Shop] = field(default_factory=list)
    friends: list[int] = field(default_factory=list)
    savings: int = 0
    landlord: int = 0


@dataclass(slots=True)
class World:
    """Accounts and random source of one generated world; `fraud` scales the number of fraud episodes."""

    seed: int
    customers_count: int
    days: int
    fraud: float = 1.0
    rng: np.random.Generator = field(init=False)
    customers: list[Customer] = field(init=False, default_factory=list)
    shops: list[Shop] = field(init=False, default_factory=list)
    exchanges: list[Shop] = field(init=False, default_factory=list)
    accounts: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        for kind, share, median, spread, channel in SHOPS:
            for _ in range(max(2, int(self.customers_count * share))):
                price = median * float(np.exp(self.rng.normal(0, 0.25)))
                self.shops.append(Shop(self.account(), price, spread, channel))
                if kind == "exchange":
                    self.exchanges.append(self.shops[-1])
        self._people()

    def account(self) -> int:
        """Number of a new account, from 1."""
        self.accounts += 1
        return self.accounts

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < probability)

    def amount(self, median: float, spread: float) -> float:
        """Log-normal amount in euros, to the cent; some people round."""
        value = median * float(np.exp(self.rng.normal(0, spread)))
        if value > 30 and self.chance(0.25):
            value = round(value, -1)
        return max(round(value, 2), 0.5)

    def pick(self, people: list[Customer]) -> Customer:
        """A random customer."""
        return people[int(self.rng.integers(len(people)))]

    def hour(self, middle: float) -> float:
        """Seconds into the day around a middle hour."""
        return float(self.rng.normal(middle, 3.2) % 24) * HOUR

    def _people(self) -> None:
        employers = [self.account() for _ in range(max(3, self.customers_count // 35))]
        landlords = [self.account() for _ in range(max(3, self.customers_count // 12))]
        weights = self.rng.zipf(1.6, len(self.shops)).clip(max=30).astype(float)
        weights /= weights.sum()
        for _ in range(self.customers_count):
            late = self.chance(0.15)
            person = Customer(
                account=self.account(),
                income=float(np.exp(self.rng.normal(7.7, 0.45))),
                rate=float(self.rng.gamma(2.5, 0.3)),
                hour=float(self.rng.choice([14.5, 2.0, 18.0], p=[0.82, 0.08, 0.10])),
                opened=float(self.rng.uniform(0, self.days)) if late else 0.0,
                employer=int(self.rng.choice(employers)),
                payday=int(self.rng.choice([0, 14, 24, 27])),
                savings=self.account(),
                landlord=int(self.rng.choice(landlords)),
            )
            favourites = self.rng.choice(len(self.shops), int(self.rng.integers(6, 16)), p=weights)
            person.shops = [self.shops[int(place)] for place in favourites]
            self.customers.append(person)
        self._ties()

    def _ties(self) -> None:
        """Households of two share shops and landlord; friends pay each other."""
        for left, right in zip(self.customers[::3], self.customers[1::3], strict=False):
            left.partner, right.partner = right.account, left.account
            right.shops = right.shops[:3] + left.shops[3:]
            right.landlord = left.landlord
        numbers = [person.account for person in self.customers]
        for person in self.customers:
            person.friends = [int(n) for n in self.rng.choice(numbers, int(self.rng.integers(2, 9)))]

    def genuine(self) -> Iterator[Generated]:
        """All genuine payments, in no order."""
        for person in self.customers:
            yield from self._shopping(person)
            yield from self._month(person)
            yield from self._friends(person)
        yield from self._lookalikes()

    def _shopping(self, person: Customer) -> Iterator[Generated]:
        for day in range(int(person.opened), self.days):
            busy = 1.4 if day % 7 >= 4 else 1.0
            for _ in range(int(self.rng.poisson(person.rate * busy))):
                new = self.chance(0.12)
                shop = self.shops[int(self.rng.integers(len(self.shops)))] if new else self._favourite(person)
                when = day * DAY + self.hour(person.hour)
                yield Generated(
                    when, person.account, shop.account, self.amount(shop.median, shop.spread), shop.channel
                )

    def _favourite(self, person: Customer) -> Shop:
        place = min(int(self.rng.geometric(0.22)) - 1, len(person.shops) - 1)
        return person.shops[place]

    def _month(self, person: Customer) -> Iterator[Generated]:
        """Salary, rent, bills, savings; one in six forwards part of the salary to the partner at once."""
        forwards = self.chance(0.35)
        for month in range(self.days // 30 + 1):
            day = month * 30 + person.payday + int(self.rng.integers(0, 2))
            if not person.opened <= day < self.days:
                continue
            paid = day * DAY + float(self.rng.uniform(1, 9)) * HOUR
            yield Generated(paid, person.employer, person.account, round(person.income, 2), "transfer")
            rent = paid + float(self.rng.exponential(20)) * HOUR
            yield Generated(rent, person.account, person.landlord, round(person.income * 0.3, -1), "debit")
            aside = paid + float(self.rng.exponential(5)) * HOUR
            part = round(person.income * float(self.rng.uniform(0.08, 0.5)), -1)
            yield Generated(aside, person.account, person.savings, part, "transfer")
            if forwards and person.partner:
                soon = paid + float(self.rng.exponential(50)) * MINUTE
                part = round(person.income * float(self.rng.uniform(0.3, 0.6)), -1)
                yield Generated(soon, person.account, person.partner, part, "instant")
            if self.chance(0.25):
                back = aside + float(self.rng.uniform(4, 15)) * DAY
                yield Generated(back, person.savings, person.account, self.amount(400, 0.6), "instant")

    def _friends(self, person: Customer) -> Iterator[Generated]:
        for _ in range(int(self.rng.poisson(0.05 * (self.days - person.opened)))):
            when = float(self.rng.uniform(person.opened, self.days)) * DAY // DAY * DAY + self.hour(
                person.hour + 3
            )
            channel = "instant" if self.chance(0.7) else "transfer"
            friend = person.friends[int(self.rng.integers(len(person.friends)))]
            yield Generated(when, person.account, friend, self.amount(28, 1.0), channel)

    def _lookalikes(self) -> Iterator[Generated]:
        """Honest episodes that resemble fraud."""
        scale = self.customers_count * self.days / 1000
        for episode, often in ((self._collect, 0.9), (self._spree, 2.2), (self._trader, 0.6), (self._taps, 1.5),
                               (self._large, 2.2), (self._move, 0.7)):  # fmt: skip
            for _ in range(int(self.rng.poisson(often * scale))):
                yield from episode(self.pick(self.customers), float(self.rng.uniform(2, self.days)) * DAY)

    def _collect(self, person: Customer, when: float) -> Iterator[Generated]:
        """A treasurer or host: many pay in, one large payment out soon after."""
        total, share = 0.0, self.amount(60, 0.9)
        for _ in range(int(self.rng.integers(4, 16))):
            moment = when + float(self.rng.exponential(3)) * HOUR
            total += share
            yield Generated(moment, self.pick(self.customers).account, person.account, share, "instant")
        venue = self.pick(self.customers).account if self.chance(0.5) else self.shops[-1].account
        out = when + float(self.rng.uniform(1, 20)) * HOUR
        yield Generated(
            out, person.account, venue, round(total * float(self.rng.uniform(0.8, 1.1)), 2), "instant"
        )

    def _spree(self, person: Customer, when: float) -> Iterator[Generated]:
        """Holiday or sales: many new shops within hours, some amounts large."""
        for _ in range(int(self.rng.integers(4, 10))):
            shop = self.shops[int(self.rng.integers(len(self.shops)))]
            when += float(self.rng.exponential(25)) * MINUTE
            yield Generated(
                when, person.account, shop.account, self.amount(shop.median * 1.8, 0.8), shop.channel
            )

    def _trader(self, person: Customer, when: float) -> Iterator[Generated]:
        """Sells to strangers and empties the balance to savings or an exchange."""
        total = 0.0
        for _ in range(int(self.rng.integers(3, 9))):
            when += float(self.rng.exponential(7)) * HOUR
            price = self.amount(140, 1.0)
            total += price
            yield Generated(when, self.pick(self.customers).account, person.account, price, "instant")
        target = person.savings if self.chance(0.5) else self.exchanges[0].account
        soon = when + float(self.rng.exponential(90)) * MINUTE
        yield Generated(soon, person.account, target, round(total * 0.95, 2), "instant")

    def _taps(self, person: Customer, when: float) -> Iterator[Generated]:
        """Transit, vending, an app store: several tiny payments, then sometimes a real purchase."""
        for _ in range(int(self.rng.integers(3, 8))):
            when += float(self.rng.exponential(9)) * MINUTE
            shop = self.shops[int(self.rng.integers(len(self.shops)))]
            yield Generated(when, person.account, shop.account, self.amount(2.2, 0.5), shop.channel)
        if self.chance(0.5):
            shop = self._favourite(person)
            soon = when + float(self.rng.exponential(40)) * MINUTE
            yield Generated(
                soon, person.account, shop.account, self.amount(shop.median * 2, 0.7), shop.channel
            )

    def _large(self, person: Customer, when: float) -> Iterator[Generated]:
        """A car, a gift, a builder: far above what the account usually pays, often to a new payee."""
        stranger = self.pick(self.customers).account
        value = self.amount(person.income * 0.7, 0.7)
        if self.chance(0.4):
            yield Generated(when - 30 * MINUTE, person.savings, person.account, value, "instant")
        yield Generated(when, person.account, stranger, value, "instant" if self.chance(0.5) else "transfer")

    def _move(self, person: Customer, when: float) -> Iterator[Generated]:
        """A new home: deposit, movers, furniture to several new payees within two days."""
        for _ in range(int(self.rng.integers(3, 7))):
            when += float(self.rng.exponential(5)) * HOUR
            yield Generated(
                when, person.account, self.pick(self.customers).account, self.amount(420, 0.9), "instant"
            )


SHOPS = (
    ("grocery", 0.02, 32.0, 0.6, "card"),
    ("transit", 0.005, 4.0, 0.4, "card"),
    ("restaurant", 0.03, 26.0, 0.5, "card"),
    ("fuel", 0.01, 55.0, 0.3, "card"),
    ("online", 0.03, 42.0, 0.9, "online"),
    ("electronics", 0.01, 240.0, 0.8, "online"),
    ("vouchers", 0.005, 60.0, 0.6, "online"),
    ("subscription", 0.01, 12.0, 0.3, "online"),
    ("exchange", 0.003, 250.0, 1.0, "instant"),
    ("venue", 0.005, 300.0, 0.7, "card"),
)


def generate(seed: int, customers: int, days: int, fraud: float = 1.0) -> list[Generated]:
    """A world's payments in order of time: the same arguments always give the same list."""
    from models_zoo.fraud.typologies import frauds

    world = World(seed, customers, days, fraud)
    made = [*world.genuine(), *frauds(world)]
    return sorted((one for one in made if 0 <= one.time < days * DAY), key=lambda one: (one.time, one.payer))


def as_payments(made: list[Generated]) -> Records:
    """PAYMENT [N] of a generated stream; sequence is the place in it, from 1."""
    batch = np.zeros(len(made), PAYMENT)
    batch["sequence"] = np.arange(1, len(made) + 1)
    batch["time"] = [START + one.time for one in made]
    batch["payer"], batch["payee"] = [one.payer for one in made], [one.payee for one in made]
    batch["amount"] = [one.amount for one in made]
    batch["channel"] = [channel_index(one.channel) for one in made]
    return batch
