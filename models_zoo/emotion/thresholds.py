"""Decision thresholds for a multi-label head, chosen on the development split.

One global threshold is robust but ignores how rare a label is; one per label overfits the labels that have
ten development examples. Both are found by grid search on F1 and the per-label ones are pulled halfway back to
the global one (shrinkage), which was the best of the three on held-out data.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

GRID: NDArray[np.float64] = np.arange(0.05, 0.8, 0.025)
SHRINKAGE = 0.5

Probabilities = NDArray[np.float64]  # [examples, labels], 0..1
Targets = NDArray[np.bool_]  # [examples, labels]


def f1_per_label(predicted: Targets, expected: Targets) -> NDArray[np.float64]:
    """F1 per label, shape [labels]; 0 where a label is neither predicted nor present (scikit-learn's rule)."""
    hits = (predicted & expected).sum(axis=0)
    total = predicted.sum(axis=0) + expected.sum(axis=0)
    return np.asarray(2 * hits / np.maximum(total, 1), dtype=np.float64)


def macro_f1(probabilities: Probabilities, expected: Targets, limits: NDArray[np.float64] | float) -> float:
    """Mean F1 over labels at the thresholds given (one number, or one per label)."""
    return float(f1_per_label(probabilities >= limits, expected).mean())


def choose(
    probabilities: Probabilities, expected: Targets, labels: Sequence[str]
) -> tuple[float, dict[str, float]]:
    """(global threshold, label -> shrunk threshold), from the development split only.

    probabilities: [examples, labels]; expected: the same shape. ValueError when the shapes differ.
    """
    if probabilities.shape != expected.shape or probabilities.shape[1] != len(labels):
        raise ValueError(f"shapes differ: {probabilities.shape}, {expected.shape}, {len(labels)} labels")
    table = np.stack([f1_per_label(probabilities >= limit, expected) for limit in GRID])  # [grid, labels]
    common = float(GRID[table.mean(axis=1).argmax()])
    own = GRID[table.argmax(axis=0)]
    shrunk = SHRINKAGE * own + (1 - SHRINKAGE) * common
    return common, {label: round(float(limit), 4) for label, limit in zip(labels, shrunk, strict=True)}


def as_array(limits: Mapping[str, float], labels: Sequence[str]) -> NDArray[np.float64]:
    """Thresholds in label order, shape [labels]."""
    return np.array([limits[label] for label in labels])


def targets(rows: Sequence[Sequence[str]], labels: Sequence[str]) -> Targets:
    """Indicator matrix [examples, labels] of the label names of each example."""
    index = {label: column for column, label in enumerate(labels)}
    matrix = np.zeros((len(rows), len(labels)), dtype=np.bool_)
    for row, names in enumerate(rows):
        matrix[row, [index[name] for name in names]] = True
    return matrix
