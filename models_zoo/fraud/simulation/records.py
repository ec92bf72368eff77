"""Who and what a world consists of. Numbers of accounts, devices and terminals are drawn from one row.

People and companies know each other in circles, so they are compared by identity and have no long repr.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from models_zoo.fraud.typologies import GENUINE


@dataclass(slots=True, frozen=True)
class Generated:
    """One generated payment; times are seconds since the world began.

    `typology` is "" for a genuine one. `device` and `merchant` (a shop's terminal) are 0 where there is none.
    `known` is when the bank hears that it was fraud: infinite for what is genuine or never reported.
    """

    time: float
    payer: int
    payee: int
    amount: float
    channel: str
    typology: str = GENUINE
    device: int = 0
    merchant: int = 0
    known: float = math.inf


@dataclass(slots=True, frozen=True)
class Shop:
    """A merchant: kind, median amount, spread (log scale), channel, and its terminals."""

    account: int
    kind: str
    median: float
    spread: float
    channel: str
    terminals: tuple[int, ...]


@dataclass(slots=True, eq=False, repr=False)
class Holder:
    """Who holds an account. `devices` are (seconds from which on it is used, number), in order.

    `shared` is a household's tablet, 0 for none; `restless` the chance that a payment comes from a device
    that is not the holder's: a cleared browser, a borrowed laptop, a library.
    """

    account: int
    devices: list[tuple[float, int]]
    shared: int = 0
    restless: float = 0.0


@dataclass(slots=True, eq=False, repr=False)
class Supplier:
    """Someone who is paid by invoice; from `moves` (seconds) on the money should go to `new_account`."""

    account: int
    moves: float = math.inf
    new_account: int = 0

    def account_at(self, time: float) -> int:
        """The account to pay at a time."""
        return self.new_account if time >= self.moves else self.account


@dataclass(slots=True, eq=False, repr=False)
class Supply:
    """What a company owes one supplier: (seconds, euros) of each invoice. `slow` is its delay in noticing a move."""

    supplier: Supplier
    due: list[tuple[float, float]]
    slow: float


@dataclass(slots=True, eq=False, repr=False)
class Company(Holder):
    """An employer with suppliers; `payday` counts days from a month's start. A group's companies pool cash.

    `size` is a factor on what it pays others.
    """

    payday: int = 0
    size: float = 1.0
    supplies: list[Supply] = field(default_factory=list)
    staff: list[Customer] = field(default_factory=list)


@dataclass(slots=True, eq=False, repr=False)
class Customer(Holder):
    """A person's account and habits.

    `rate` is purchases a day, `hour` the middle of the waking day; `opened` and `closed` are days. A second account
    or an old one rests: hardly a purchase, no salary.
    """

    income: float = 0.0
    rate: float = 0.0
    hour: float = 14.0
    opened: float = 0.0
    closed: float = math.inf
    savings: int = 0
    landlord: int = 0
    partner: Customer | None = None
    family: list[Customer] = field(default_factory=list)
    friends: list[Customer] = field(default_factory=list)
    shops: list[Shop] = field(default_factory=list)
    providers: list[tuple[Company, float]] = field(default_factory=list)
