"""The population of a world, and how its payments are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from models_zoo.fraud.causal.view import DAY, HOUR
from models_zoo.fraud.simulation.records import (
    Company,
    Customer,
    Generated,
    Holder,
    Shop,
)
from models_zoo.fraud.typologies import GENUINE

Picked = TypeVar("Picked")

SHOPS = (
    ("grocery", 0.02, 32.0, 0.6, "card"),
    ("transit", 0.005, 4.0, 0.4, "card"),
    ("restaurant", 0.03, 26.0, 0.5, "card"),
    ("fuel", 0.01, 55.0, 0.3, "card"),
    ("online", 0.03, 42.0, 0.9, "online"),
    ("electronics", 0.01, 240.0, 0.8, "online"),
    ("vouchers", 0.005, 60.0, 0.6, "online"),
    ("apps", 0.005, 3.5, 0.5, "online"),
    ("subscription", 0.01, 12.0, 0.3, "online"),
    ("exchange", 0.003, 250.0, 1.0, "instant"),
    ("venue", 0.005, 300.0, 0.7, "card"),
    ("cash", 0.004, 80.0, 0.6, "cash"),
)
"""Kind, shops per customer, median amount in euros, spread (log scale), channel."""


@dataclass(slots=True, eq=False, repr=False)
class World:
    """One generated world: who there is (see `population.settle`), its random source, and how it draws from it.

    `fraud` scales the number of fraud episodes, `level` all prices and incomes; `wallets` is the share of people
    whose phone is told when they pay by card; `offices` are accounts that collect taxes and premiums.
    """

    seed: int
    customers_count: int
    days: int
    fraud: float = 1.0
    rng: np.random.Generator = field(init=False)
    customers: list[Customer] = field(init=False, default_factory=list)
    companies: list[Company] = field(init=False, default_factory=list)
    firms: list[Company] = field(init=False, default_factory=list)
    groups: list[list[Company]] = field(init=False, default_factory=list)
    shops: list[Shop] = field(init=False, default_factory=list)
    by_kind: dict[str, list[Shop]] = field(init=False, default_factory=dict)
    managers: dict[int, int] = field(init=False, default_factory=dict)
    outsiders: list[int] = field(init=False, default_factory=list)
    public: list[int] = field(init=False, default_factory=list)
    offices: list[int] = field(init=False, default_factory=list)
    level: float = field(init=False, default=1.0)
    wallets: float = field(init=False, default=0.0)
    bank: int = field(init=False, default=0)
    numbers: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.level = self.spread(0, 0.25)
        self.wallets = 0.0 if self.chance(0.5) else self.uniform(0.2, 1.0)
        self.bank = self.number()
        self.public = [self.number() for _ in range(max(1, self.customers_count // 250))]
        self.offices = [self.number() for _ in range(max(2, self.customers_count // 100))]

    @property
    def scale(self) -> float:
        """Thousands of customers' days."""
        return self.customers_count * self.days / 1000

    def number(self) -> int:
        """A new account's, device's or terminal's number, from 1."""
        self.numbers += 1
        return self.numbers

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < probability)

    def some(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return int(self.rng.integers(least, most + 1))

    def many(self, least: int, more: float) -> int:
        """A whole number with a long tail: at least so many, on average `more` beyond, at most 15 beyond."""
        return least + min(int(self.rng.geometric(1 / (1 + more))) - 1, 15)

    def uniform(self, least: float, most: float) -> float:
        """A number between two."""
        return float(self.rng.uniform(least, most))

    def wait(self, mean: float) -> float:
        """An exponential waiting time in the unit of its mean."""
        return float(self.rng.exponential(mean))

    def spread(self, middle: float, deviation: float) -> float:
        """A log-normal factor."""
        return float(np.exp(self.rng.normal(middle, deviation)))

    def factor(self, least: float, most: float) -> float:
        """A number between two, as often in one octave as in another."""
        return float(np.exp(self.rng.uniform(np.log(least), np.log(most))))

    def amount(self, median: float, spread: float) -> float:
        """Log-normal amount in euros, to the cent; some people round."""
        value = median * self.level * self.spread(0, spread)
        if value > 30 and self.chance(0.25):
            value = round(value, -1)
        return max(round(value, 2), 0.5)

    def pick(self, among: Sequence[Picked]) -> Picked:
        """One of them."""
        return among[int(self.rng.integers(len(among)))]

    def customer(self, when: float) -> Customer:
        """A customer whose account is open at that time."""
        for _ in range(20):
            person = self.pick(self.customers)
            if person.opened * DAY <= when < person.closed * DAY:
                break
        return person

    def kinds(self, *kinds: str) -> list[Shop]:
        """The shops of some kinds."""
        return [shop for kind in kinds for shop in self.by_kind[kind]]

    def shop(self, kind: str, terminals: int = 1, channel: str = "") -> Shop:
        """A shop of a kind that nobody here has been to yet, by its usual channel or the one given."""
        _, _, median, spread, usual = next(one for one in SHOPS if one[0] == kind)
        price = median * self.spread(0, 0.25)
        numbers = tuple(self.number() for _ in range(terminals))
        return Shop(self.number(), kind, price, spread, channel or usual, numbers)

    def hour(self, middle: float) -> float:
        """Seconds into the day around a middle hour."""
        return float(self.rng.normal(middle, 3.2) % 24) * HOUR

    def office(self, day: float) -> float:
        """Seconds of an office hour of that day or, at a weekend, of the Monday after."""
        whole = int(day) + max(0, 7 - int(day) % 7) * (int(day) % 7 >= 5)
        return whole * DAY + self.uniform(8, 17.5) * HOUR

    def moment(self) -> float:
        """When an episode begins: any day but the first, at night a little more often than honest people pay."""
        hour = self.uniform(0, 24) * HOUR if self.chance(0.35) else self.hour(14)
        return self.some(1, max(self.days - 1, 1)) * DAY + hour

    def outsider(self) -> int:
        """An account elsewhere that nobody here holds: often one never seen before."""
        if not self.outsiders or self.chance(0.6):
            self.outsiders.append(self.number())
            return self.outsiders[-1]
        return self.pick(self.outsiders)

    def stranger(self) -> Holder:
        """A holder elsewhere, with an account and a device of their own."""
        return Holder(self.number(), [(0.0, self.number())], restless=0.03)

    def somebody(self, when: float, stranger: float = 0.4) -> Holder:
        """A customer, or somebody elsewhere of whom nothing is known; another bank tells no device."""
        if not self.chance(stranger):
            return self.customer(when)
        return self.stranger() if self.chance(0.5) else Holder(self.number(), [(0.0, 0)])

    def device(self, holder: Holder, when: float) -> int:
        """The device that a holder pays from at a time."""
        draw = float(self.rng.random())
        if draw < holder.restless:
            return self.pick(self.public) if self.chance(0.15) else self.number()
        if holder.shared and draw > 0.8:
            return holder.shared
        return [number for start, number in holder.devices if start <= when or not start][-1]

    def wallet(self, holder: Holder) -> bool:
        """Whether the holder's phone is told when they pay by card."""
        return holder.account % 100 < 100 * self.wallets

    def send(
        self,
        holder: Holder,
        payee: int,
        when: float,
        amount: float,
        channel: str = "instant",
        typology: str = GENUINE,
        device: int | None = None,
    ) -> Generated:
        """A transfer from the holder's device, or from the one given."""
        used = self.device(holder, when) if device is None else device
        return Generated(when, holder.account, payee, max(round(amount, 2), 0.5), channel, typology, used)

    def buy(
        self,
        holder: Holder,
        shop: Shop,
        when: float,
        amount: float,
        typology: str = GENUINE,
        device: int | None = None,
    ) -> Generated:
        """A purchase: online at a terminal from a device; at a counter from one only if the phone is the card."""
        if shop.channel == "instant":
            return self.send(holder, shop.account, when, amount, "instant", typology, device)
        terminal = shop.terminals[int(len(shop.terminals) * self.rng.random())]
        used, phone = 0, shop.channel == "card" and self.wallet(holder)
        if shop.channel == "online" or phone:
            used = self.device(holder, when) if device is None else device
        return Generated(
            when, holder.account, shop.account, max(amount, 0.5), shop.channel, typology, used, terminal
        )
