"""What tables say of features is what LightGBM's TreeSHAP says of them, in a fraction of its time."""

import time
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest

from models_zoo.fraud.boosting import Settings, grow, load
from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.shares import WIDEST, Shares, shares_of
from models_zoo.fraud.subjects import by_subject

FEATURES = 6


@pytest.fixture(scope="module")
def payments():
    """Rows as features are: many zeros, small counts, some not measured."""
    random = np.random.default_rng(4)
    rows = random.exponential(3.0, (300, len(NAMES))).astype(np.float32)
    rows[random.random(rows.shape) < 0.3] = 0
    rows[random.random(rows.shape) < 0.2] = np.nan
    rows[::3] = np.round(rows[::3])
    return rows


@pytest.fixture(scope="module")
def shipped():
    expert = load()
    return expert, shares_of(expert)


def test_it_works(shipped, payments):
    expert, shares = shipped
    exact = by_subject(expert.attributions(payments)[:, :-1])
    assert np.abs(exact).max() > 1
    assert np.allclose(shares(payments), exact, atol=1e-4)


def test_a_payment_has_the_same_shares_alone_and_in_a_list(shipped, payments):
    _, shares = shipped
    assert np.array_equal(shares(payments)[7], shares(payments[7:8])[0])
    assert shares(payments[:0]).shape == (0, shares(payments[:1]).shape[1])


def test_a_flood_of_like_payments_costs_a_fraction_of_treeshap(shipped, payments):
    expert, shares = shipped
    alike = np.repeat(payments[:1], 200, axis=0)
    alike[:, NAMES.index("amount")] = np.geomspace(1, 5000, 200)
    shares(alike)
    took = []
    for work in (shares, expert.attributions):
        began = time.thread_time()
        work(alike)
        took.append(time.thread_time() - began)
    assert took[0] < took[1] / 4


@pytest.mark.parametrize("missing", [True, False])
@pytest.mark.parametrize("leaves", [2, 9, 40])
def test_any_model_of_bounded_depth(missing, leaves):
    """Features that come up again on a path, leaves at all depths, values that are missing or not."""
    random = np.random.default_rng(leaves)
    rows = random.normal(size=(800, FEATURES)).round(1).astype(np.float32)
    wanted = rows[:, 0] * rows[:, 1] + rows[:, 2] > 0.5
    if missing:
        rows[random.random(rows.shape) < 0.2] = np.nan
    settings = {
        "objective": "binary",
        "num_leaves": leaves,
        "max_depth": WIDEST,
        "verbose": -1,
        "num_threads": 1,
    }
    model = lgb.train(settings | {"min_data_in_leaf": 3}, lgb.Dataset(rows, wanted), 12)
    groups = np.arange(FEATURES) // 2
    rows[:4] = np.nan  # unlike anything in training
    found = Shares(model.model_to_string(), groups, 3)(rows)
    exact = np.asarray(model.predict(rows, pred_contrib=True, num_threads=1))[:, :-1]
    assert np.allclose(found, exact.reshape(-1, 3, 2).sum(-1), atol=1e-5)


def test_a_tree_without_splits_gives_nothing():
    rows = np.ones((50, FEATURES), np.float32)
    model = lgb.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1},
        lgb.Dataset(rows, np.arange(50) % 2, params={"feature_pre_filter": False}),
        3,
    )
    found = Shares(model.model_to_string(), np.zeros(FEATURES, np.int64), 1)(rows)
    assert np.array_equal(found, np.zeros((50, 1)))


def test_deeper_trees_are_asked_of_lightgbm(payments):
    """What was trained without a bound, as models were before, is explained as before."""
    wanted = (
        np.random.default_rng(5).random(len(payments)) < 0.5
    )  # nothing to find, so every leaf is split on
    settings = replace(
        Settings(), rounds=5, leaves=60, smallest_leaf=1, depth=-1, keep=1.0, feature_share=1.0
    )
    names = tuple(NAMES[:FEATURES])
    expert = grow(payments, wanted, settings, names)
    with pytest.raises(ValueError, match="too deep or too large"):
        Shares(expert.model.model_to_string(), np.zeros(FEATURES, np.int64), 1)
    found = shares_of(expert)(payments)
    assert np.array_equal(found, by_subject(expert.attributions(payments)[:, :-1]))
