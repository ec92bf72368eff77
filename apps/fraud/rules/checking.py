"""Whether a definition holds water: every expression is read, and every problem named with its place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.fraud.rules.language import checked
from apps.fraud.rules.schemas import MOST_RULES
from apps.fraud.rules.tokens import ExpressionError
from rootstock.errors import FieldProblem, InvalidInput

MOST_PROBLEMS = 50


@dataclass(slots=True, frozen=True)
class PlacedProblem(FieldProblem):
    """A problem at one character of a field's text, counted from 1."""

    position: int = 1


def definition_check(definition: Mapping[str, Any]) -> list[str]:
    """The facts that it reads. Raises InvalidInput naming each field that is wrong, of expressions with the place."""
    facts: set[str] = set()
    problems = [*_twice(definition), *_thresholds(definition)]
    rules = list(_rules(definition))
    if len(rules) > MOST_RULES:
        problems.append(FieldProblem("typologies", f"must hold at most {MOST_RULES} rules together"))
    for field, rule in rules[:MOST_RULES]:
        try:
            facts.update(checked(rule["when"]).names)
        except ExpressionError as error:
            reason = f"at character {error.position}: {error.reason}"
            problems.append(PlacedProblem(f"{field}.when", reason, error.position))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InvalidInput(
            f"{problems[0].field}: {problems[0].reason}{more}", errors=problems[:MOST_PROBLEMS]
        )
    return sorted(facts)


def _rules(definition: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for group, typology in enumerate(definition["typologies"]):
        for place, rule in enumerate(typology["rules"]):
            yield f"typologies.{group}.rules.{place}", rule


def _twice(definition: Mapping[str, Any]) -> Iterator[FieldProblem]:
    codes: set[str] = set()
    for field, rule in _rules(definition):
        if rule["code"] in codes:
            yield FieldProblem(f"{field}.code", "another rule has this code")
        codes.add(rule["code"])
    names: set[str] = set()
    for group, typology in enumerate(definition["typologies"]):
        if typology["name"] in names:
            yield FieldProblem(f"typologies.{group}.name", "another typology has this name")
        names.add(typology["name"])


def _thresholds(definition: Mapping[str, Any]) -> Iterator[FieldProblem]:
    if definition["decline"] < definition["review"]:
        yield FieldProblem("decline", "must be at least review")
