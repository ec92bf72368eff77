"""How far a trivial rule gets on a generated world: one feature, one threshold, either way round.

A world on which such a rule finds the fraud would say nothing about a model that finds it too.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.causal.view import DAY, HOUR
from models_zoo.fraud.generator import Generated
from models_zoo.fraud.metrics import precision_recall
from models_zoo.fraud.typologies import GENUINE, TYPOLOGIES
from models_zoo.fraud.worlds import WARM_UP

RULES = (
    "amount",
    "amount to usual",
    "new payee",
    "paid in 24 h",
    "fan-out in 24 h",
    "fan-in in 24 h",
    "pass-through in 24 h",
    "like the last one in",
    "night",
    "new device",
    "accounts of device",
)
"""What the rules look at, each as it is when the payment arrives."""
RECALL = 0.5
WORST, WORST_OF_ONE = 0.5, 0.8
"""No rule may reach more precision at that recall: over all fraud, and over one typology against genuine payments."""
FEW = 5
"""A typology of fewer payments is not judged: one that happens to be dear says nothing."""

Day = deque[tuple[float, int, float]]
"""Time, other account, amount."""


@dataclass(slots=True)
class _Account:
    """What an account did so far."""

    paid: Day = field(default_factory=deque)
    received: Day = field(default_factory=deque)
    payees: set[int] = field(default_factory=set)
    devices: set[int] = field(default_factory=set)
    amounts: deque[float] = field(default_factory=lambda: deque(maxlen=32))

    def forget(self, now: float) -> None:
        """Leave the last 24 hours."""
        for events in (self.paid, self.received):
            while events and events[0][0] < now - DAY:
                events.popleft()


@dataclass(slots=True, frozen=True)
class Difficulty:
    """Payments after the warm-up, the number of each typology, and best[typology][rule]; "" stands for all fraud."""

    payments: int
    counts: dict[str, int]
    best: dict[str, dict[str, float]]

    def easy(self) -> list[str]:
        """The rules that find too much, told; none in a world that is hard enough."""
        return [
            f"{rule} finds {name or 'fraud'} with precision {value:.2f}"
            for name, rules in self.best.items()
            for rule, value in rules.items()
            if self.counts[name] >= FEW and value > (WORST_OF_ONE if name else WORST)
        ]

    def table(self) -> str:
        """One row a rule, one column a typology."""
        names = list(self.best)
        heads = [f"{name or 'all'} {self.counts[name]}" for name in names]
        lines = [f"{self.payments:,} payments; best precision at recall {RECALL:g} or more"]
        lines.append(" | ".join([f"{'rule':<22}", *heads]))
        for rule in RULES:
            values = [
                f"{self.best[name][rule]:>{len(head)}.3f}" for name, head in zip(names, heads, strict=True)
            ]
            lines.append(" | ".join([f"{rule:<22}", *values]))
        return "\n".join(lines)


def difficulty(made: list[Generated]) -> Difficulty:
    """Of a world's payments in order. Judged are those after the warm-up, by all that came before each."""
    late = np.array([one.time >= WARM_UP * DAY for one in made])
    values, kinds = rule_values(made)[late], np.array([one.typology for one in made])[late]
    best = {name: _best(values, kinds, name) for name in (GENUINE, *TYPOLOGIES)}
    counts = {name: int((kinds == name).sum()) for name in TYPOLOGIES}
    return Difficulty(len(kinds), {GENUINE: int((kinds != GENUINE).sum())} | counts, best)


def _best(values: NDArray[np.float64], kinds: NDArray[np.str_], name: str) -> dict[str, float]:
    """Best precision of each rule on one typology against genuine payments, or on all fraud."""
    judged = (kinds == name) | (kinds == GENUINE) if name else np.ones(len(kinds), bool)
    labels = kinds[judged] != GENUINE
    columns = zip(RULES, values[judged].T, strict=True)
    return {rule: max(_precision(labels, one), _precision(labels, -one)) for rule, one in columns}


def _precision(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    precision, recall = precision_recall(labels, scores)
    return float(precision[recall >= RECALL].max(initial=0.0))


def rule_values(made: list[Generated]) -> NDArray[np.float64]:
    """What each rule sees of each payment, float64 [N, len(RULES)], from the payments before it alone."""
    accounts: dict[int, _Account] = defaultdict(_Account)
    users: dict[int, set[int]] = defaultdict(set)
    rows = np.zeros((len(made), len(RULES)))
    for place, one in enumerate(made):
        payer, payee = accounts[one.payer], accounts[one.payee]
        payer.forget(one.time)
        payee.forget(one.time)
        rows[place] = _row(one, payer, payee, users[one.device] if one.device else set())
        payer.paid.append((one.time, one.payee, one.amount))
        payee.received.append((one.time, one.payer, one.amount))
        payer.payees.add(one.payee)
        payer.amounts.append(one.amount)
        if one.device:
            payer.devices.add(one.device)
            users[one.device].add(one.payer)
    return rows


def _row(one: Generated, payer: _Account, payee: _Account, users: set[int]) -> tuple[float, ...]:
    came = sum(amount for _, _, amount in payer.received)
    gone = sum(amount for _, _, amount in payer.paid) + one.amount
    last = payer.received[-1][2] if payer.received else 0.0
    return (
        one.amount,
        one.amount / median(payer.amounts) if payer.amounts else 1.0,
        one.payee not in payer.payees,
        len(payer.paid),
        len({other for _, other, _ in payer.paid} | {one.payee}),
        len({other for _, other, _ in payee.received} | {one.payer}),
        _apart(gone, came),
        _apart(one.amount, last),
        one.time % DAY < 6 * HOUR,
        bool(one.device) and one.device not in payer.devices,
        len(users | {one.payer}) if one.device else 0,
    )


def _apart(left: float, right: float) -> float:
    """How unlike two sums are: |log ratio|, at most 10; 10 where nothing came in."""
    return min(abs(math.log(left / right)), 10.0) if right > 0 else 10.0
