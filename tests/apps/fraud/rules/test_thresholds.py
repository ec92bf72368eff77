"""The cheapest thresholds, against trying them all; figures by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.fraud.rules.figures import Known, figures, overlap
from apps.fraud.rules.thresholds import Costs, costs_of, suggested

COSTS = Costs(review=5.0, decline=50.0)
PAYMENT = st.tuples(
    st.sampled_from([0.0, 10.0, 25.0, 40.0, 95.0]), st.integers(0, 2), st.booleans(), st.integers(1, 200)
)


def price(points, model, cost, review, decline):
    """What two thresholds cost."""
    outcome = np.where(points >= decline, 2, np.where(points >= review, 1, 0))
    return cost[np.arange(len(points)), np.maximum(outcome, model)].sum()


@settings(max_examples=150, deadline=None)
@given(st.lists(PAYMENT, min_size=1, max_size=40))
def test_nothing_is_cheaper(rows):
    points, model, fraud, amount = (np.array(column) for column in zip(*rows, strict=True))
    cost = costs_of(fraud, amount.astype(float), COSTS)
    found = suggested(points.astype(float), model, cost)
    values = [*np.unique(points[points > 0]), np.inf]
    best = min(price(points, model, cost, r, d) for r in values for d in values if r <= d)
    given_back = price(points, model, cost, found.review or np.inf, found.decline or np.inf)
    assert found.cost == pytest.approx(best, abs=0.01)
    assert given_back == pytest.approx(best)


def test_what_is_worth_it_depends_on_the_costs():
    points = np.array([50.0] * 10 + [100.0] * 10 + [0.0] * 80)
    fraud = np.array([n in (0, 1, *range(10, 20)) for n in range(100)])
    model, amount = np.zeros(100, int), np.full(100, 100.0)
    found = suggested(points, model, costs_of(fraud, amount, COSTS))
    assert (found.review, found.decline, found.cost) == (50.0, 100.0, 50.0)
    dear = suggested(points, model, costs_of(fraud, amount, Costs(1000.0, 1000.0)))
    assert (dear.review, dear.decline) == (100.0, 100.0)
    free = suggested(points, model, costs_of(np.zeros(100, bool), amount, COSTS))
    assert (free.review, free.decline, free.cost) == (None, None, 0.0)


def test_figures_by_hand():
    known = Known(np.array([True, True, False, False]), np.array([100.0, 300.0, 20.0, 30.0]), days=2.0)
    found = figures(np.array([2, 0, 1, 2]), known, COSTS)
    assert found == {
        "reviews": 1,
        "declines": 2,
        "alerts_per_day": 1.5,
        "precision": 0.3333,
        "recall": 0.5,
        "recall_of_amount": 0.25,
        "genuine_declined": 1,
        "frauds_missed": 1,
        "amount_missed": 300.0,
        "cost": 355.0,
    }
    shared = overlap(np.array([2, 0, 1, 0]), np.array([1, 1, 0, 0]), known)
    assert shared == {
        "both": {"alerts": 1, "frauds": 1},
        "only_version": {"alerts": 1, "frauds": 0},
        "only_in_force": {"alerts": 1, "frauds": 1},
    }


def test_nothing_at_all_has_no_shares():
    empty = Known(np.zeros(0, bool), np.zeros(0), 0.0)
    assert figures(np.zeros(0, int), empty, COSTS)["precision"] is None
    assert suggested(np.zeros(0), np.zeros(0, int), costs_of(empty.fraud, empty.amount, COSTS)).review is None
