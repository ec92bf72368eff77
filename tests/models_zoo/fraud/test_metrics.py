"""Figures against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from models_zoo.fraud import metrics


@pytest.fixture
def ranked():
    rng = np.random.default_rng(1)
    labels = rng.random(4000) < 0.05
    return labels, np.round(rng.normal(size=4000) + 1.5 * labels, 2)


def test_it_works(ranked):
    labels, scores = ranked
    assert metrics.average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))
    assert metrics.roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))


def test_threshold_reaches_its_precision(ranked):
    labels, scores = ranked
    threshold = metrics.threshold_at(labels, scores, 0.5)
    chosen = scores >= threshold
    assert labels[chosen].mean() >= 0.5
    assert labels[chosen].sum() / labels.sum() == pytest.approx(metrics.recall_at(labels, scores, 0.5))


def test_a_threshold_is_never_nothing():
    """Frauds at .9, as many genuine payments just above 0: those are no alerts, and 0 would flag every payment."""
    scores = np.concatenate([np.full(30, 0.9), np.full(30, 3e-5), np.full(900, 1e-6)])
    assert metrics.threshold_at(scores > 0.5, scores, 0.5) == metrics.LEAST_THRESHOLD
    assert round(metrics.LEAST_THRESHOLD, 4) > 0


def test_without_positives():
    nothing = np.zeros(5, bool)
    assert metrics.average_precision(nothing, np.arange(5.0)) == 0
    assert metrics.roc_auc(nothing, np.arange(5.0)) == 0.5


def test_a_precision_out_of_reach_gives_no_alerts():
    assert metrics.threshold_at(np.array([True, False]), np.array([0.1, 0.9]), 0.9) == 1.0


def test_calibration_error_of_perfect_and_of_wrong_probabilities():
    labels = np.arange(1000) % 4 == 0
    assert metrics.calibration_error(labels, np.full(1000, 0.25)) < 0.01
    assert metrics.calibration_error(labels, np.full(1000, 0.9)) == pytest.approx(0.65, abs=0.01)


def test_precision_at_a_budget_and_recall_at_false_positives():
    labels = np.array([True, False, True, False, False, False, False, False, False, True])
    scores = np.arange(10, 0, -1.0)
    assert metrics.precision_at_budget(labels, scores, 0.3) == pytest.approx(2 / 3)
    assert metrics.recall_at_false_positives(labels, scores, 1 / 7) == pytest.approx(2 / 3)
    assert metrics.recall_at_false_positives(labels, scores, 0) == pytest.approx(1 / 3)


def test_the_cost_of_doing_nothing_and_of_looking():
    labels = np.arange(1000) == 3
    curve = metrics.cost_curve(labels, labels.astype(float), np.full(1000, 50.0), 5.0)
    assert curve[0] == {"alerts": 0.0, "cost": 1.0}
    assert curve[1] == {"alerts": 0.001, "cost": 0.1}
    assert curve[-1] == {"alerts": 0.05, "cost": 5.0}


def test_paired_interval_of_equal_and_of_better_rankings(ranked):
    labels, scores = ranked
    assert metrics.paired_interval(labels, scores, scores) == (0, 0, 0)
    gain, low, high = metrics.paired_interval(labels, scores + labels, scores)
    assert 0 < low < gain < high
    whole = metrics._Weighted(labels, scores, np.arange(len(labels)))
    assert whole.average_precision(np.ones(len(labels), int)) == pytest.approx(
        metrics.average_precision(labels, scores)
    )
