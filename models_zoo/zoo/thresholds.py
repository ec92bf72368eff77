"""Decision thresholds, chosen on validation.

Of several labels: one threshold for all is robust but ignores how rare a label is; one each overfits labels with ten
examples. Both are found by grid search on F1 and the latter pulled halfway to the former (shrinkage), which was the
best of the three on held-out data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models_zoo.zoo.files import Row

GRID: NDArray[np.float64] = np.arange(0.05, 0.8, 0.025)
SHRINKAGE = 0.5

Probabilities = NDArray[np.float64]
"""[examples, labels], 0..1"""


def of_each_label(
    probabilities: Probabilities, rows: Sequence[Row], labels: Sequence[str]
) -> dict[str, float]:
    """Label -> threshold with the best F1, shrunk. ValueError when the shapes differ."""
    if probabilities.shape != (len(rows), len(labels)):
        raise ValueError(f"shapes differ: {probabilities.shape}, {len(rows)} examples, {len(labels)} labels")
    index = {label: column for column, label in enumerate(labels)}
    wanted = np.zeros(probabilities.shape, dtype=np.bool_)
    for at, row in enumerate(rows):
        wanted[at, [index[name] for name in row["labels"]]] = True
    table = np.stack([f1_per_label(probabilities > limit, wanted) for limit in GRID])  # [grid, labels]
    common = float(GRID[table.mean(axis=1).argmax()])
    own = GRID[table.argmax(axis=0)]
    return dict(zip(labels, (SHRINKAGE * own + (1 - SHRINKAGE) * common).tolist(), strict=True))


def f1_per_label(predicted: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """F1 per label, shape [labels]; 0 where a label is neither predicted nor wanted (scikit-learn's rule)."""
    hits = (predicted & wanted).sum(axis=0)
    total = predicted.sum(axis=0) + wanted.sum(axis=0)
    return np.asarray(2 * hits / np.maximum(total, 1), dtype=np.float64)


def of_least_loss(
    probabilities: Probabilities, rows: Sequence[Row], labels: Sequence[str], *, early: str, lost: float
) -> dict[str, float]:
    """The lowest threshold of the class `early` at which at most `lost` of the other examples are given to it.

    probabilities: of exactly one label an example. Where no threshold loses so little, the highest of the grid.
    """
    column = list(labels).index(early)
    others = np.array([early not in row["labels"] for row in rows])
    right = probabilities.argmax(axis=1) != column
    scores = probabilities[others & right, column]  # of those that would otherwise get another class
    for limit in np.arange(0.02, 1.0, 0.01):
        if (scores >= limit).sum() <= lost * others.sum():
            return {early: float(limit)}
    return {early: 1.0}
