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
