"""Figures of a ranking, in numpy: average precision, ROC AUC, recall at a precision, calibration error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]
Labels = NDArray[np.bool_]


def average_precision(labels: Labels, scores: Scores) -> float:
    """Area under precision and recall, ties as one step. 0 without positives."""
    precision, recall = precision_recall(labels, scores)
    return float((np.diff(recall, prepend=0.0) * precision).sum()) if labels.any() else 0.0


def precision_recall(labels: Labels, scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall at each distinct score, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(labels[order])
    ends = np.append(np.nonzero(np.diff(ranked))[0], len(ranked) - 1)
    return hits[ends] / (ends + 1), hits[ends] / max(int(labels.sum()), 1)


def roc_auc(labels: Labels, scores: Scores) -> float:
    """Chance that a positive outranks a negative, ties half. 0.5 without either."""
    positive = int(labels.sum())
    negative = len(labels) - positive
    if not positive or not negative:
        return 0.5
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((rank[labels].sum() - positive * (positive + 1) / 2) / (positive * negative))


def recall_at(labels: Labels, scores: Scores, precision: float) -> float:
    """Largest recall among thresholds whose precision is at least the given one."""
    reached, recall = precision_recall(labels, scores)
    return float(recall[reached >= precision].max(initial=0.0))


def threshold_at(labels: Labels, scores: Scores, precision: float) -> float:
    """Lowest score from which on the precision is at least the given one; 1.0 if no score reaches it."""
    reached, _ = precision_recall(labels, scores)
    good = np.unique(scores)[::-1][reached >= precision]
    return float(good.min()) if len(good) else 1.0


def calibration_error(labels: Labels, scores: Scores, bins: int = 10) -> float:
    """Expected calibration error over bins of equal count."""
    pieces = np.array_split(np.argsort(scores, kind="stable"), bins)
    gaps = [abs(float(labels[piece].sum()) - float(scores[piece].sum())) for piece in pieces]
    return sum(gaps) / max(len(labels), 1)


def figures(labels: Labels, scores: Scores) -> dict[str, float]:
    """The figures a card reports."""
    return {
        "average_precision": round(average_precision(labels, scores), 4),
        "roc_auc": round(roc_auc(labels, scores), 4),
        "recall_at_precision_50": round(recall_at(labels, scores, 0.5), 4),
        "recall_at_precision_90": round(recall_at(labels, scores, 0.9), 4),
    }
