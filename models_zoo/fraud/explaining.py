"""Explanations of single payments: what each feature adds, which earlier payments matter, and below which amount it
would have passed. By asking the deciding model again about changed neighbourhoods, in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.events import EVENT, Records
from models_zoo.fraud.history import SIDES, Neighbourhood
from models_zoo.fraud.scores import Score

LATEST = 16
"""Events of each ring that are left out one by one, each from all rings that hold it."""
MOST = 15
"""Attributions that are told of each expert."""
GRID, ROUNDS = 48, 3
"""Amounts that are tried at a time, between the smallest and the payment's own, and how often the grid is refined."""
SMALLEST = 0.01


class Attribution(NamedTuple):
    """What a feature (its value None if not measured) adds to the logit of an expert."""

    expert: str
    feature: str
    value: float | None
    weight: float


class Edge(NamedTuple):
    """An earlier payment (its sequence), whose histories hold it, and how much lower the logit is without it."""

    roles: tuple[str, ...]
    sequence: int
    weight: float


@dataclass(slots=True, frozen=True)
class Explanation:
    """Attributions and edges, largest first; `amount_below`: the largest amount at which it would be approved with all
    else the same, None if there is none or it is approved already."""

    score: Score
    attributions: list[Attribution]
    edges: list[Edge]
    amount_below: float | None


Shares = list[tuple[str, str, float | None, float]]
"""(expert, feature, value, weight) of one payment."""


@dataclass(slots=True, frozen=True)
class Judged:
    """Logits float64 [B] and outcomes of payments; if asked for, their scores, and what each feature adds."""

    logits: NDArray[np.float64]
    outcomes: list[str]
    scores: list[Score]
    shares: list[Shares]


def explained(near: Neighbourhood, judge: Callable[[Neighbourhood, bool], Judged]) -> list[Explanation]:
    """Explanations of the B payments, in order; `judge` says what the model makes of a neighbourhood."""
    found = []
    for place in range(len(near)):
        one = near.rows(np.array([place]))
        whole = judge(one, True)
        found.append(
            Explanation(
                whole.scores[0],
                _attributions(whole),
                _edges(one, float(whole.logits[0]), judge),
                _passing(one, judge, whole),
            )
        )
    return found


def _attributions(whole: Judged) -> list[Attribution]:
    found = sorted(
        (Attribution(*one[:3], round(one[3], 4)) for one in whole.shares[0]), key=lambda one: -abs(one.weight)
    )
    told: Counter[str] = Counter()
    kept = []
    for one in found:
        told[one.expert] += 1
        if one.weight and told[one.expert] <= MOST:
            kept.append(one)
    return kept


def _edges(one: Neighbourhood, logit: float, judge: Callable[[Neighbourhood, bool], Judged]) -> list[Edge]:
    latest = np.concatenate([getattr(one, side)[0, -LATEST:]["sequence"] for side in SIDES])
    earlier = np.unique(latest[latest > 0]).tolist()
    if not earlier:
        return []
    many = one.rows(np.zeros(len(earlier), np.int64))
    roles = [_left_out(many, row, sequence) for row, sequence in enumerate(earlier)]
    rest = judge(many, False).logits
    found = [
        Edge(held, sequence, round(logit - float(left), 4))
        for held, sequence, left in zip(roles, earlier, rest, strict=True)
    ]
    return sorted((edge for edge in found if edge.weight), key=lambda edge: -abs(edge.weight))


def _left_out(many: Neighbourhood, row: int, sequence: int) -> tuple[str, ...]:
    """Take a payment out of all histories of one row; returns whose they were."""
    held = []
    for side in SIDES:
        window = getattr(many, side)
        places = np.nonzero(window[row]["sequence"] == sequence)[0].tolist()
        for place in places:
            window[row] = _without(window[row], place)
        if places:
            held.append(side)
    return tuple(held)


def _without(window: Records, place: int) -> Records:
    """A ring's EVENT [K] without one event: older ones move up, an empty place comes first."""
    return np.concatenate([np.zeros(1, EVENT), window[:place], window[place + 1 :]])


def amount_below(own: float, passes: Callable[[NDArray[np.float64]], Sequence[bool]]) -> float | None:
    """The largest amount in whole cents up to `own` that passes, None if none does: by a grid that is refined above the
    largest that did. `passes` says it of amounts float64 [N]."""
    low, high, best = SMALLEST, own, None
    for _ in range(ROUNDS):
        amounts = np.unique(np.floor(np.geomspace(low, max(high, low), GRID) * 100 + 1e-6) / 100)
        passed = np.nonzero(np.asarray(passes(amounts)))[0]
        if not len(passed):
            return best
        top = int(passed[-1])
        best = round(float(amounts[top]), 2)
        if top + 1 == len(amounts):
            return best
        low, high = best, float(amounts[top + 1])
    return best


def with_amounts(one: Neighbourhood, amounts: NDArray[np.float64]) -> Neighbourhood:
    """The neighbourhood of one payment, once for each of its amounts float64 [N]."""
    many = one.rows(np.zeros(len(amounts), np.int64))
    many.payment["amount"] = amounts
    return many


def _passing(
    one: Neighbourhood, judge: Callable[[Neighbourhood, bool], Judged], whole: Judged
) -> float | None:
    if whole.outcomes[0] == "approve":
        return None
    return amount_below(
        float(one.payment["amount"][0]),
        lambda amounts: [
            outcome == "approve" for outcome in judge(with_amounts(one, amounts), False).outcomes
        ],
    )
