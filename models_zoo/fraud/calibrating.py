"""Scores made probabilities: Platt scaling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.bool_]
Scores = NDArray[np.float64]


def calibration(raw: Scores, labels: Labels) -> tuple[float, float]:
    """Scale and shift of raw scores [N] of least log loss (Platt, 1999)."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e3, tol=1e-8, max_iter=1000).fit(raw[:, None], labels)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def sigmoid(values: Scores) -> Scores:
    """Probabilities of logits."""
    found: Scores = 1 / (1 + np.exp(-np.clip(values, -50, 50)))
    return found
