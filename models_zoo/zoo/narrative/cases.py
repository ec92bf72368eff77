"""Cases of generated worlds: payments that the shipped scorer would not let pass, with its reasons.

What is generated is invented; no bank's data is in here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from models_zoo.fraud.events import CHANNELS

if TYPE_CHECKING:
    from models_zoo.fraud.history import Neighbourhood
    from models_zoo.fraud.scorer import Score

BATCH = 512
PASSED = 0.02  # of the payments that pass, so that the adapter has seen what is harmless


@dataclass(slots=True, frozen=True)
class Case:
    """A payment and its decision. Amounts in euros, times UTC, accounts as the world numbers them."""

    amount: str
    channel: str
    time: str
    payer: str
    payee: str
    score: str
    outcome: str
    shares: str
    reasons: tuple[str, ...]

    def facts(self) -> str:
        """As the console shows them and the adapter reads them."""
        lines = [
            f"Payment: {self.amount} EUR, {self.channel}, {self.time} UTC",
            f"From account {self.payer} to account {self.payee}",
            f"Score {self.score}, decision: {self.outcome}",
            f"Shares: {self.shares}",
            "Reasons:",
        ]
        return "\n".join([*lines, *(f"- {reason}" for reason in self.reasons or ("none",))])


def cases(seed: int, customers: int, days: int) -> Iterator[Case]:
    """Of one world, in the order of its payments."""
    # here, so that a recipe is read without the graph library
    from models_zoo.fraud.generator import as_payments, generate
    from models_zoo.fraud.scorer import Scorer
    from models_zoo.fraud.streams import replay

    near = replay(as_payments(generate(seed, customers, days)))
    random, scorer = np.random.default_rng(seed), Scorer()
    for part in near.pieces(BATCH):
        for at, score in enumerate(scorer.score(part)):
            if score.outcome != "approve" or random.random() < PASSED:
                yield _case(part, at, score, int(random.integers(3)))


def _case(near: Neighbourhood, at: int, score: Score, style: int) -> Case:
    payment = near.payment[at]
    return Case(
        amount=f"{float(payment['amount']):,.2f}",
        channel=CHANNELS[int(payment["channel"])],
        time=datetime.fromtimestamp(float(payment["time"]), UTC).strftime("%Y-%m-%d %H:%M"),
        payer=_account(int(payment["payer"]), style),
        payee=_account(int(payment["payee"]), style),
        score=f"{score.probability:.2f}",
        outcome=score.outcome,
        shares=_shares(score.contributions),
        reasons=tuple(reason.text for reason in score.reasons),
    )


def _account(number: int, style: int) -> str:
    """As banks write accounts: in one of three ways."""
    digits = number * 7919 % 10**8
    return (f"A{number:05d}", f"{digits:08d}", f"ACC-{digits // 100:06d}")[style]


def _shares(contributions: dict[str, float]) -> str:
    """Each part's share of what speaks for fraud, in percent."""
    positive = {name: max(0.0, value) for name, value in contributions.items()}
    total = sum(positive.values()) or 1.0
    told: Sequence[str] = [f"{name} {value / total:.0%}" for name, value in positive.items()]
    return ", ".join(told)
