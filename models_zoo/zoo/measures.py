"""Figures as functions of sums over examples, so that a bootstrap costs no more than a matrix product.

A measure turns each example and what the adapter gave for it into a row of counts; every figure is a function of the
counts' sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_zoo.zoo.files import Row

Counts = NDArray[np.float64]
"""[examples, columns]"""
Sums = NDArray[np.float64]
"""[draws, columns]"""
SEED, DRAWS = 20260101, 1000
LEVEL = 0.95


@dataclass(slots=True, frozen=True)
class Measure:
    """counts(rows, given) -> [examples, columns]; figures(sums [draws, columns]) -> name -> [draws]."""

    counts: Callable[[Sequence[Row], Sequence[Any]], Counts]
    figures: Callable[[Sums], dict[str, NDArray[np.float64]]]


@dataclass(slots=True, frozen=True)
class Figure:
    """A figure with its bootstrap interval (Efron, 1979: percentiles over examples drawn with replacement)."""

    value: float
    low: float
    high: float
    examples: int


def measured(measure: Measure, rows: Sequence[Row], given: Sequence[Any]) -> dict[str, Figure]:
    """Every figure of the measure with its 95 % interval. Raises ValueError when there is nothing to measure."""
    if not rows or len(rows) != len(given):
        raise ValueError(f"{len(rows)} examples and {len(given)} answers, expected as many, and at least one")
    counts = measure.counts(rows, given)
    values = measure.figures(counts.sum(axis=0, keepdims=True))
    drawn = measure.figures(_draws(counts))
    tail = 100 * (1 - LEVEL) / 2
    ends = {name: np.percentile(values, (tail, 100 - tail)) for name, values in drawn.items()}
    return {
        name: Figure(float(value[0]), float(ends[name][0]), float(ends[name][1]), len(rows))
        for name, value in values.items()
    }


def _draws(counts: Counts) -> Sums:
    """The sums of `DRAWS` samples as large as this one."""
    random, size = np.random.default_rng(SEED), len(counts)
    chosen = (random.multinomial(size, np.full(size, 1 / size)) for _ in range(DRAWS))
    return np.stack([weights.astype(np.float64) @ counts for weights in chosen])


def ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    """top / bottom, 0 where there is nothing below."""
    return np.asarray(top / np.maximum(bottom, 1e-12), dtype=np.float64)


def macro_f1(labels: Sequence[str]) -> Measure:
    """Macro-F1 over all labels (0 for one that never occurs) and micro-F1, of any number of labels an example."""

    def counts(rows: Sequence[Row], given: Sequence[Any]) -> Counts:
        wanted, found = _indicators([row["labels"] for row in rows], labels), _indicators(given, labels)
        return np.concatenate([wanted * found, wanted + found], axis=1)

    def figures(sums: Sums) -> dict[str, NDArray[np.float64]]:
        hits, total = np.split(sums, 2, axis=1)
        f1 = 2 * hits / np.maximum(total, 1)
        micro = ratio(2 * hits.sum(axis=1), total.sum(axis=1))
        return {"macro_f1": f1.mean(axis=1), "micro_f1": micro}

    return Measure(counts, figures)


def weighted_f1(labels: Sequence[str]) -> Measure:
    """F1 of each label weighted by how often it is wanted, and accuracy; one label an example."""

    def counts(rows: Sequence[Row], given: Sequence[Any]) -> Counts:
        wanted, found = _indicators([row["labels"] for row in rows], labels), _indicators(given, labels)
        return np.concatenate([wanted * found, wanted, found], axis=1)

    def figures(sums: Sums) -> dict[str, NDArray[np.float64]]:
        hits, wanted, found = np.split(sums, 3, axis=1)
        f1 = 2 * hits / np.maximum(wanted + found, 1)
        return {
            "weighted_f1": ratio((f1 * wanted).sum(axis=1), wanted.sum(axis=1)),
            "accuracy": ratio(hits.sum(axis=1), wanted.sum(axis=1)),
        }

    return Measure(counts, figures)


def accuracy(name: str = "accuracy") -> Measure:
    """The share of examples that get exactly their labels."""

    def counts(rows: Sequence[Row], given: Sequence[Any]) -> Counts:
        return np.array(
            [[set(row["labels"]) == set(one), 1.0] for row, one in zip(rows, given, strict=True)], dtype=float
        )

    def figures(sums: Sums) -> dict[str, NDArray[np.float64]]:
        return {name: ratio(sums[:, 0], sums[:, 1])}

    return Measure(counts, figures)


def entities(labels: Sequence[str]) -> Measure:
    """Precision, recall and F1 of entities that agree in both ends and type (as conlleval counts), and each type's F1.

    given: spans (start, end, label) in characters.
    """

    def counts(rows: Sequence[Row], given: Sequence[Any]) -> Counts:
        table = np.zeros((len(rows), 3 * len(labels)))
        for row, example, found in zip(table, rows, given, strict=True):
            wanted, got = (
                {(int(a), int(b), str(c)) for a, b, c in side} for side in (example["spans"], found)
            )
            for at, label in enumerate(labels):
                sides = [{one for one in side if one[2] == label} for side in (wanted & got, wanted, got)]
                row[3 * at : 3 * at + 3] = [len(side) for side in sides]
        return table

    def figures(sums: Sums) -> dict[str, NDArray[np.float64]]:
        hits, wanted, found = (sums[:, part::3] for part in range(3))
        result = {
            "entity_f1": ratio(2 * hits.sum(axis=1), (wanted + found).sum(axis=1)),
            "precision": ratio(hits.sum(axis=1), found.sum(axis=1)),
            "recall": ratio(hits.sum(axis=1), wanted.sum(axis=1)),
        }
        if len(labels) > 1:
            each = ratio(2 * hits, wanted + found)
            result |= {f"{label}_f1": each[:, at] for at, label in enumerate(labels)}
        return result

    return Measure(counts, figures)


def means(score: Callable[[Row, Any], dict[str, float]]) -> Measure:
    """The mean of each of an example's own scores, which are the same names for every example."""
    names: list[str] = []

    def counts(rows: Sequence[Row], given: Sequence[Any]) -> Counts:
        scored = [score(row, one) for row, one in zip(rows, given, strict=True)]
        names[:] = list(scored[0])
        return np.array([[*(one[name] for name in names), 1.0] for one in scored], dtype=np.float64)

    def figures(sums: Sums) -> dict[str, NDArray[np.float64]]:
        return {name: ratio(sums[:, at], sums[:, -1]) for at, name in enumerate(names)}

    return Measure(counts, figures)


def _indicators(rows: Sequence[Sequence[str]], labels: Sequence[str]) -> Counts:
    index = {label: column for column, label in enumerate(labels)}
    matrix = np.zeros((len(rows), len(labels)))
    for row, names in enumerate(rows):
        matrix[row, [index[name] for name in names]] = 1.0
    return matrix
