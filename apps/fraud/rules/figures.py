"""What became of a history under rules: alerts, what they caught, what it cost, and what two versions agree on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.fraud.rules.ruleset import Hits, Rules
from apps.fraud.rules.thresholds import DECLINE, REVIEW, Costs, costs_of

Outcomes = NDArray[np.int64]


@dataclass(slots=True, frozen=True)
class Known:
    """A history: fraud bool [N] by the labels that are known now (none counts as genuine), amount float [N] in euros,
    and over how many days it goes."""

    fraud: NDArray[np.bool_]
    amount: NDArray[np.float64]
    days: float

    def __len__(self) -> int:
        return len(self.fraud)


def figures(outcome: Outcomes, known: Known, costs: Costs) -> dict[str, Any]:
    """Of outcomes [N] (0, 1, 2) on a history."""
    alert, declined = outcome >= REVIEW, outcome == DECLINE
    caught, missed = known.fraud & alert, known.fraud & ~alert
    cost = costs_of(known.fraud, known.amount, costs)[np.arange(len(known)), outcome].sum()
    alerts, frauds = int(alert.sum()), int(known.fraud.sum())
    return {
        "reviews": int((outcome == REVIEW).sum()),
        "declines": int(declined.sum()),
        "alerts_per_day": _share(alerts, known.days),
        "precision": _share(int(caught.sum()), alerts),
        "recall": _share(int(caught.sum()), frauds),
        "recall_of_amount": _share(float(known.amount[caught].sum()), float(known.amount[known.fraud].sum())),
        "genuine_declined": int((declined & ~known.fraud).sum()),
        "frauds_missed": int(missed.sum()),
        "amount_missed": round(float(known.amount[missed].sum()), 2),
        "cost": round(float(cost), 2),
    }


def overlap(first: Outcomes, second: Outcomes, known: Known) -> dict[str, Any]:
    """Alerts of two versions: what both flag, and what only one does, with the frauds among them."""
    one, other = first >= REVIEW, second >= REVIEW
    parts = {"both": one & other, "only_version": one & ~other, "only_in_force": other & ~one}
    return {
        name: {"alerts": int(part.sum()), "frauds": int((part & known.fraud).sum())}
        for name, part in parts.items()
    }


def by_rule(rules: Rules, hits: Hits, known: Known) -> list[dict[str, Any]]:
    """Of each rule: how often it held, how often alone, and how many frauds were among them."""
    alone = hits.sum(axis=0) == 1
    return [
        {
            "code": rule.code,
            "typology": rule.typology,
            "hits": int(own.sum()),
            "hits_alone": int((own & alone).sum()),
            "frauds": int((own & known.fraud).sum()),
            "precision": _share(int((own & known.fraud).sum()), int(own.sum())),
        }
        for rule, own in zip(rules.rules, hits, strict=True)
    ]


def by_typology(rules: Rules, hits: Hits, known: Known) -> list[dict[str, Any]]:
    """The same of each typology: on how many payments any of its rules held."""
    names: Sequence[str] = list(dict.fromkeys(rule.typology for rule in rules.rules))
    found = []
    for name in names:
        own = hits[[rule.typology == name for rule in rules.rules]].any(axis=0)
        frauds = int((own & known.fraud).sum())
        found.append(
            {
                "name": name,
                "hits": int(own.sum()),
                "frauds": frauds,
                "precision": _share(frauds, int(own.sum())),
            }
        )
    return found


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
