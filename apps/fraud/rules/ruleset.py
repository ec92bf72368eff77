"""A version of the rules as the worker holds it: expressions read, weights multiplied out."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.fraud.rules.language import Expression, expression
from apps.fraud.rules.lists import Lists
from apps.fraud.rules.names import Columns, columns_of
from apps.fraud.rules.tokens import ExpressionError

log = logging.getLogger(__name__)
Hits = NDArray[np.bool_]


@dataclass(slots=True, frozen=True)
class Rule:
    """One rule. `points` are its own times the weight of its typology."""

    code: str
    text: str
    typology: str
    points: float
    when: Expression


@dataclass(slots=True, frozen=True)
class Rules:
    """A version: its rules, and from how many points on a payment is reviewed or declined."""

    reference: str
    review: float
    decline: float
    rules: tuple[Rule, ...]
    names: frozenset[str]

    @classmethod
    def of(cls, reference: str, definition: Mapping[str, Any]) -> "Rules":
        """From a stored definition. A rule that was read when it was stored and is not any more never holds, and the
        log says so: the others decide."""
        rules = tuple(
            Rule(
                one["code"],
                one["text"],
                group["name"],
                one["points"] * group["weight"],
                _read(one, reference),
            )
            for group in definition["typologies"]
            for one in group["rules"]
        )
        names = frozenset(name for rule in rules for name in rule.when.names)
        return cls(reference, definition["review"], definition["decline"], rules, names)

    def hits(self, columns: Columns, count: int) -> Hits:
        """Which rules hold for which of `count` payments, bool [R, B]."""
        found = np.zeros((len(self.rules), count), np.bool_)
        with np.errstate(all="ignore"):
            for place, rule in enumerate(self.rules):
                found[place] = rule.when.run(columns)
        return found

    def points(self, hits: Hits) -> NDArray[np.float64]:
        """The rule score [B] of hits [R, B]: the sum of the points, never below 0."""
        weights = np.array([rule.points for rule in self.rules], np.float64)
        return np.maximum(weights @ hits, 0.0)

    def outcome(self, points: float) -> str:
        """What the rules alone would decide."""
        return "decline" if points >= self.decline else "review" if points >= self.review else "approve"


def _read(rule: Mapping[str, Any], reference: str) -> Expression:
    try:
        return expression(rule["when"])
    except ExpressionError as error:
        log.error("rule %s of %s cannot be read and never holds: %s", rule["code"], reference, error)
        return Expression(rule["when"], (), lambda columns: False)


@dataclass(slots=True, frozen=True)
class Fired:
    """What the rules found on one payment: the rules that hold, and the rule score."""

    rules: list[Rule]
    points: float
    outcome: str


@dataclass(slots=True, frozen=True)
class RuleSet:
    """What is in force in an organisation: rules and lists, and the rules that are tried in their shadow."""

    rules: Rules | None = None
    lists: Lists = field(default_factory=Lists)
    shadow: Rules | None = None

    @property
    def reference(self) -> str:
        """`rules@3-9c1b2f4e8a7d lists@17`, without what there is not."""
        parts = (self.rules.reference if self.rules else "", self.lists.reference)
        return " ".join(part for part in parts if part)

    @property
    def names(self) -> frozenset[str]:
        """Every name that is read."""
        return frozenset().union(*(one.names for one in (self.rules, self.shadow) if one))

    def columns(
        self,
        scores: Sequence[float],
        facts: Sequence[Mapping[str, float]],
        payments: Sequence[Mapping[str, Any]],
    ) -> Columns:
        """The columns of the names that its rules read."""
        return columns_of(self.names, scores, facts, payments, self.lists)


def fired(rules: Rules, columns: Columns, count: int) -> list[Fired]:
    """What a version finds on each of `count` payments."""
    hits = rules.hits(columns, count)
    return [
        Fired([rules.rules[place] for place in np.nonzero(own)[0]], points, rules.outcome(points))
        for own, points in zip(hits.T, rules.points(hits).tolist(), strict=True)
    ]
