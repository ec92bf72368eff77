"""The population of a world, and how its payments are made."""

from __future__ import annotations

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
    Supplier,
    Supply,
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
    """Who there is in one generated world, and its random source; `fraud` scales the number of fraud episodes."""

    seed: int
    customers_count: int
    days: int
    fraud: float = 1.0
    rng: np.random.Generator = field(init=False)
    customers: list[Customer] = field(init=False, default_factory=list)
    companies: list[Company] = field(init=False, default_factory=list)
    groups: list[list[Company]] = field(init=False, default_factory=list)
    shops: list[Shop] = field(init=False, default_factory=list)
    by_kind: dict[str, list[Shop]] = field(init=False, default_factory=dict)
    managers: dict[int, int] = field(init=False, default_factory=dict)
    outsiders: list[int] = field(init=False, default_factory=list)
    public: list[int] = field(init=False, default_factory=list)
    bank: int = field(init=False, default=0)
    numbers: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.bank = self.number()
        self.public = [self.number() for _ in range(max(1, self.customers_count // 250))]
        self._shops()
        self._companies()
        self._people()

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

    def amount(self, median: float, spread: float) -> float:
        """Log-normal amount in euros, to the cent; some people round."""
        value = median * float(np.exp(self.rng.normal(0, spread)))
        if value > 30 and self.chance(0.25):
            value = round(value, -1)
        return max(round(value, 2), 0.5)

    def pick(self, among: list[Picked]) -> Picked:
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
        """A purchase: at a terminal without a device, online at a terminal from one."""
        if shop.channel == "instant":
            return self.send(holder, shop.account, when, amount, "instant", typology, device)
        terminal = shop.terminals[int(len(shop.terminals) * self.rng.random())]
        used = 0
        if shop.channel == "online":
            used = self.device(holder, when) if device is None else device
        return Generated(
            when, holder.account, shop.account, max(amount, 0.5), shop.channel, typology, used, terminal
        )

    def _shops(self) -> None:
        for kind, share, median, spread, channel in SHOPS:
            for _ in range(max(2, int(self.customers_count * share))):
                price = median * float(np.exp(self.rng.normal(0, 0.25)))
                terminals = tuple(self.number() for _ in range(self.some(1, 4)))
                shop = Shop(self.number(), kind, price, spread, channel, terminals)
                self.shops.append(shop)
                self.by_kind.setdefault(kind, []).append(shop)

    def _companies(self) -> None:
        """Employers; every third belongs to a group, whose books are kept on one computer."""
        for _ in range(max(6, self.customers_count // 18)):
            payday, size = int(self.rng.choice([0, 14, 24, 27])), float(np.exp(self.rng.normal(0, 1.2)))
            self.companies.append(
                Company(self.number(), [(0.0, self.number())], restless=0.01, payday=payday, size=size)
            )
        left = self.companies[: len(self.companies) // 2]
        while len(left) >= 3:
            size = min(self.some(3, 5), len(left))
            group, left = left[:size], left[size:]
            for company in group[1:]:
                company.devices = group[0].devices
            self.groups.append(group)
        self._supplies()

    def _supplies(self) -> None:
        """Some suppliers are companies of this world; one in eight really moves to another account."""
        suppliers = [Supplier(company.account) for company in self.companies]
        suppliers += [Supplier(self.number()) for _ in range(len(self.companies))]
        for supplier in suppliers:
            if self.chance(0.12 * min(1.0, self.days / 75) + 0.05):
                supplier.moves, supplier.new_account = self.uniform(0, self.days) * DAY, self.number()
        for company in self.companies:
            for _ in range(self.some(4, 11)):
                supplier = self.pick(suppliers)
                if supplier.account != company.account:
                    due = self._invoices(company.size)
                    company.supplies.append(Supply(supplier, due, self.uniform(0, 20) * DAY))

    def _invoices(self, size: float) -> list[tuple[float, float]]:
        """Monthly or fortnightly from some day on: new suppliers come all the time."""
        median, every = self.amount(900 * size, 1.0), 30 if self.chance(0.7) else 14
        day = self.uniform(0, self.days) if self.chance(0.3) else self.uniform(0, every)
        due = []
        while day < self.days:
            due.append((self.office(day + self.uniform(-2, 2)), self.amount(median, 0.35)))
            day += every
        return due

    def _people(self) -> None:
        landlords = [self.number() for _ in range(max(3, self.customers_count // 12))]
        self.managers = {account: self.number() for account in landlords if self.chance(0.3)}
        weights = self.rng.zipf(1.6, len(self.shops)).clip(max=30).astype(float)
        weights /= weights.sum()
        hours = self.rng.choice([14.5, 2.0, 18.0], self.customers_count, p=[0.82, 0.08, 0.10])
        for hour in hours:
            idle, wealth = self.chance(0.1), self.uniform(3, 15) if self.chance(0.04) else 1.0
            person = Customer(
                account=self.number(),
                devices=[(0.0, self.number())],
                restless=0.03,
                income=float(np.exp(self.rng.normal(7.7, 0.45))) * wealth,
                rate=float(self.rng.gamma(2.5, 0.3)) * (0.05 if idle else 1.0),
                hour=float(hour),
                opened=self.uniform(0, self.days) if self.chance(0.15) else 0.0,
                savings=self.number(),
                landlord=self.pick(landlords),
            )
            if self.chance(0.05 + self.days / 500):
                person.devices.append((self.uniform(0, self.days) * DAY, self.number()))
            favourites = self.rng.choice(len(self.shops), self.some(6, 15), p=weights)
            person.shops = [self.shops[int(place)] for place in favourites]
            person.providers = [
                (self.pick(self.companies), self.amount(45, 0.5)) for _ in range(self.some(0, 2))
            ]
            if not idle:
                self.pick(self.companies).staff.append(person)
            self.customers.append(person)
        self._ties()

    def _ties(self) -> None:
        """Households of two share shops, landlord and often a tablet; families and friends pay each other."""
        for left, right in zip(self.customers[::3], self.customers[1::3], strict=False):
            left.partner, right.partner = right, left
            right.shops = right.shops[:3] + left.shops[3:]
            right.landlord = left.landlord
            if self.chance(0.4):
                left.shared = right.shared = self.number()
        for start in range(0, len(self.customers), 5):
            family = self.customers[start : start + 5]
            for person in family:
                person.family = [one for one in family if one is not person]
        for person in self.customers:
            person.friends = [self.pick(self.customers) for _ in range(self.some(2, 8))]
