"""The decision on a payment, from the model's score, the rules and the lists. Pure: the same again in a replay.

A list decides before all else, deny before allow. Otherwise the graver of what the model and the rules say stands.
The score of a decision lies on the model's scale: rule points are brought to it so that the rules' thresholds meet the
model's, and the larger of the two counts. A payment that rules decline is never ranked below one that they let pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, log
from typing import Any

import numpy as np

from apps.fraud.rules.lists import DENY, Found
from apps.fraud.rules.ruleset import Fired, Rules, RuleSet, fired
from models_zoo.fraud.card import Card
from models_zoo.fraud.scores import Score

GRAVITY = ("approve", "review", "decline")
LISTED = {
    "payer": "The payer is", "payee": "The payee is", "device": "The device is", "merchant": "The merchant is",
    "pair": "This payer and payee are",
}  # fmt: skip
_LEAST = 1e-6
Facts = Mapping[str, float]
Payment = Mapping[str, Any]


@dataclass(slots=True, frozen=True)
class Decided:
    """A decision. `probability` is the model's alone; `reasons` as the API tells them, rules before the model.

    `by` says whose the outcome is: the list's, or the rules', the model's or both's. `hits` are the codes of the rules
    that hold, `rule_score` their points, `shadow` what the decision would have been with the version in the shadow.
    """

    outcome: str
    score: float
    probability: float
    reasons: list[dict[str, Any]]
    contributions: dict[str, float]
    by: list[str]
    rules_version: str = ""
    rule_score: float = 0.0
    hits: list[str] = field(default_factory=list)
    shadow: dict[str, Any] | None = None


def decide(score: Score, facts: Facts, payment: Payment, rules: RuleSet | None, card: Card) -> Decided:
    """The decision on one payment. `facts` may be empty where there are no rules, `card` is that of the score."""
    return decide_all([score], [facts], [payment], rules, card)[0]


def decide_all(
    scores: Sequence[Score],
    facts: Sequence[Facts],
    payments: Sequence[Payment],
    rules: RuleSet | None,
    card: Card,
) -> list[Decided]:
    """The decisions on several payments of one organisation, each rule worked out for all of them at once."""
    count = len(scores)
    if rules is None or not count:
        return [_by_model(score) for score in scores]
    columns = rules.columns([one.probability for one in scores], facts, payments)
    values = {
        name: column.tolist() if isinstance(column, np.ndarray) else [column]
        for name, column in columns.items()
    }
    none = [None] * count
    own = fired(rules.rules, columns, count) if rules.rules else none
    tried = fired(rules.shadow, columns, count) if rules.shadow else none
    return [
        _decided(
            _Case(scores[at], rules.lists.found(payments[at]), own[at], tried[at], values, at), rules, card
        )
        for at in range(count)
    ]


@dataclass(slots=True, frozen=True)
class _Case:
    score: Score
    listed: Found | None
    fired: Fired | None
    tried: Fired | None
    values: Mapping[str, list[float]]
    place: int


def _by_model(score: Score) -> Decided:
    return Decided(
        outcome=score.outcome,
        score=score.probability,
        probability=score.probability,
        reasons=_told(score),
        contributions=score.contributions | {"rules": 0.0},
        by=["model"],
    )


def _decided(case: _Case, rules: RuleSet, card: Card) -> Decided:
    points = case.fired.points if case.fired else 0.0
    risk = max(case.score.probability, _on_scale(points, rules.rules, card) if rules.rules else 0.0)
    if case.listed and case.listed.effect == DENY:
        risk = max(risk, card.decline)
    outcome = _outcome(case, case.fired)
    added = _logit(risk) - _logit(case.score.probability)
    return Decided(
        outcome=outcome,
        score=round(risk, 6),
        probability=case.score.probability,
        reasons=[*_listed(case, added), *_rules(case, added), *_told(case.score)],
        contributions=case.score.contributions | {"rules": round(added, 4)},
        by=_by(case, outcome),
        rules_version=rules.reference,
        rule_score=round(points, 4),
        hits=[one.code for one in case.fired.rules] if case.fired else [],
        shadow=_shadow(case, rules.shadow),
    )


def _outcome(case: _Case, own: Fired | None) -> str:
    if case.listed:
        return "decline" if case.listed.effect == DENY else "approve"
    return max(case.score.outcome, own.outcome if own else "approve", key=GRAVITY.index)


def _by(case: _Case, outcome: str) -> list[str]:
    if case.listed:
        return ["list"]
    said = {"rules": case.fired.outcome if case.fired else "", "model": case.score.outcome}
    return [name for name, one in said.items() if one == outcome]


def _on_scale(points: float, rules: Rules, card: Card) -> float:
    """Points as a probability: 0 at none, the card's thresholds at the rules' own, and towards 1 beyond."""
    if points >= rules.decline:
        return card.decline + (1 - card.decline) * (1 - rules.decline / points)
    if points >= rules.review:
        share = (points - rules.review) / (rules.decline - rules.review)
        return card.review + share * (card.decline - card.review)
    return card.review * points / rules.review


def _logit(probability: float) -> float:
    inside = min(max(probability, _LEAST), 1 - _LEAST)
    return log(inside / (1 - inside))


def _listed(case: _Case, added: float) -> list[dict[str, Any]]:
    found = case.listed
    if found is None:
        return []
    text = f"{LISTED[found.kind]} on the {found.effect} list"
    code = f"{found.kind}_{found.effect}_listed".upper()
    weight = round(added, 3) if found.effect == DENY else 0.0
    return [
        {"code": code, "text": text, "weight": weight, "values": {}, "source": "list", "entry": str(found.id)}
    ]


def _rules(case: _Case, added: float) -> list[dict[str, Any]]:
    """The rules that hold, the weightiest first, with the values that they read; they share what the rules added."""
    if case.fired is None:
        return []
    raising = sum(max(one.points, 0.0) for one in case.fired.rules) or 1.0
    return [
        {
            "code": rule.code,
            "text": rule.text,
            "weight": round(added * max(rule.points, 0.0) / raising, 3),
            "values": {name: case.values[name][case.place] for name in rule.when.names},
            "source": "rule",
            "typology": rule.typology,
            "points": rule.points,
        }
        for rule in sorted(case.fired.rules, key=lambda one: -one.points)
    ]


def _told(score: Score) -> list[dict[str, Any]]:
    return [
        {
            "code": one.code,
            "text": one.text,
            "weight": one.weight,
            "values": {name: value if isfinite(value) else None for name, value in one.values.items()},
            "source": "model",
        }
        for one in score.reasons
    ]


def _shadow(case: _Case, rules: Rules | None) -> dict[str, Any] | None:
    tried = case.tried
    if tried is None or rules is None:
        return None
    return {
        "rules": rules.reference,
        "outcome": _outcome(case, tried),
        "points": round(tried.points, 4),
        "hits": [one.code for one in tried.rules],
    }
