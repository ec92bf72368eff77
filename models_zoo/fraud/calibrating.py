"""Scores made probabilities: Platt scaling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.bool_]
Scores = NDArray[np.float64]


def calibration(raw: Scores, labels: Labels, steps: int = 50) -> tuple[float, float]:
    """Scale and shift of raw scores [N] of least log loss (Platt), by Newton's method."""
    design = np.stack([raw, np.ones(len(raw))], axis=1)
    prior = np.log(labels.mean() / (1 - labels.mean()))
    found = np.array([1.0, prior - np.log(np.exp(raw).mean() + 1e-12)])
    for _ in range(steps):
        probability = sigmoid(design @ found)
        gradient = design.T @ (probability - labels) + 1e-3 * (found - [1.0, 0.0])
        weight = probability * (1 - probability)
        curvature = (design * weight[:, None]).T @ design + 1e-3 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        found = found - step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return float(found[0]), float(found[1])


def sigmoid(values: Scores) -> Scores:
    """Probabilities of logits."""
    found: Scores = 1 / (1 + np.exp(-np.clip(values, -50, 50)))
    return found
