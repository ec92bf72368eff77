"""Figures of a ranking, in numpy: average precision, ROC AUC, recall, precision at a budget, cost, calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]
Labels = NDArray[np.bool_]
ALERT_SHARES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
ALERT_BUDGET, FALSE_POSITIVES = 0.005, 0.003
"""Shares that figures are given at: of all payments that can be looked at, of the genuine ones that may be flagged."""
LEAST_THRESHOLD = 0.0001
"""Where frauds are told apart perfectly, half of what scores above next to nothing is fraud: a lower threshold would be
written as 0 in a card, and flag everything."""


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
    """Lowest probability from which on the precision is at least the given one, never under LEAST_THRESHOLD; 1.0 if
    none reaches it."""
    reached, _ = precision_recall(labels, scores)
    good = np.unique(scores)[::-1][reached >= precision]
    return max(float(good.min()), LEAST_THRESHOLD) if len(good) else 1.0


def calibration_error(labels: Labels, scores: Scores, bins: int = 10) -> float:
    """Expected calibration error over bins of equal count."""
    pieces = np.array_split(np.argsort(scores, kind="stable"), bins)
    gaps = [abs(float(labels[piece].sum()) - float(scores[piece].sum())) for piece in pieces]
    return sum(gaps) / max(len(labels), 1)


def calibration_curve(labels: Labels, scores: Scores, bins: int = 10) -> list[dict[str, float]]:
    """What was said and what came of it, over the bins of `calibration_error`: mean score and share of positives."""
    pieces = np.array_split(np.argsort(scores, kind="stable"), min(bins, len(labels)))
    return [
        {"said": round(float(scores[piece].mean()), 6), "came": round(float(labels[piece].mean()), 6)}
        for piece in pieces
        if len(piece)
    ]


def precision_at_budget(labels: Labels, scores: Scores, share: float) -> float:
    """Precision among the `share` of payments with the highest scores (at least one)."""
    alerts = max(1, round(share * len(labels)))
    return float(labels[np.argsort(-scores, kind="stable")[:alerts]].mean())


def recall_at_false_positives(labels: Labels, scores: Scores, share: float) -> float:
    """Largest recall among thresholds that flag at most `share` of the genuine payments."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.nonzero(np.diff(scores[order]))[0], len(order) - 1)
    hits = np.cumsum(labels[order])[ends]
    allowed = (ends + 1 - hits) <= share * max(int((~labels).sum()), 1)
    return float(hits[allowed].max(initial=0)) / max(int(labels.sum()), 1)


def cost_curve(
    labels: Labels, scores: Scores, amounts: NDArray[np.floating], review: float
) -> list[dict[str, float]]:
    """What is lost at each share of payments looked at: missed frauds' amounts plus `review` (the same money) a look.

    Costs are parts of what the frauds amount to, so 1.0 is doing nothing.
    """
    order = np.argsort(-scores, kind="stable")
    stopped = np.concatenate([[0.0], np.cumsum(np.where(labels, amounts, 0)[order], dtype=np.float64)])
    curve = []
    for share in ALERT_SHARES:
        alerts = round(share * len(labels))
        cost = stopped[-1] - stopped[alerts] + review * alerts
        curve.append({"alerts": share, "cost": round(float(cost / max(stopped[-1], 1e-9)), 4)})
    return curve


def paired_interval(
    labels: Labels, ours: Scores, theirs: Scores, groups: NDArray[np.integer] | None = None, draws: int = 300
) -> tuple[float, float, float]:
    """Difference in average precision, ours - theirs, with the ends of its 95 % interval by paired bootstrap.

    `groups` [N]: what is drawn together (the payments of one payee, say); single payments if not given.
    """
    members = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    count, rng = int(members.max()) + 1, np.random.default_rng(0)
    first, second = (_Weighted(labels, scores, members) for scores in (ours, theirs))
    found = []
    for _ in range(draws):
        times = np.bincount(rng.integers(count, size=count), minlength=count)
        found.append(first.average_precision(times) - second.average_precision(times))
    low, high = np.percentile(found, [2.5, 97.5])
    whole = average_precision(labels, ours) - average_precision(labels, theirs)
    return round(whole, 4), round(float(low), 4), round(float(high), 4)


class _Weighted:
    """Average precision of one ranking when each group counts a number of times."""

    def __init__(self, labels: Labels, scores: Scores, members: NDArray[np.integer]) -> None:
        order = np.argsort(-scores, kind="stable")
        self._labels, self._members = labels[order], members[order]
        self._ends = np.append(np.nonzero(np.diff(scores[order]))[0], len(order) - 1)

    def average_precision(self, times: NDArray[np.integer]) -> float:
        weight = times[self._members]
        hits = np.cumsum(weight * self._labels)[self._ends]
        seen = np.maximum(np.cumsum(weight)[self._ends], 1)
        return float((np.diff(hits, prepend=0) * hits / seen).sum() / max(int(hits[-1]), 1))


def figures(labels: Labels, scores: Scores) -> dict[str, float]:
    """The figures a card reports."""
    return {
        "average_precision": round(average_precision(labels, scores), 4),
        "roc_auc": round(roc_auc(labels, scores), 4),
        "recall_at_precision_50": round(recall_at(labels, scores, 0.5), 4),
        "recall_at_precision_90": round(recall_at(labels, scores, 0.9), 4),
        "precision_at_budget": round(precision_at_budget(labels, scores, ALERT_BUDGET), 4),
        "recall_at_false_positives": round(recall_at_false_positives(labels, scores, FALSE_POSITIVES), 4),
    }
