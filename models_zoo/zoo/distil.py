"""Soft labels from an ensemble of teachers (Hinton et al., 2015): what several seeds agree on is learned by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models_zoo.llm.card import ModelError
from models_zoo.zoo.files import Row, read_lines, write_lines
from models_zoo.zoo.served import Served

LEAST = 0.005  # of a probability that is written: the rest is as good as none


def soften(base: Path, teachers: Sequence[Path], path: Path, target: Path, device: str, hard: float) -> int:
    """Write the training rows of `path` with probabilities into `target`; gives how many there are.

    Of each label the mean of what the teachers say, a share `hard` of it the true label. Raises `ModelError` when a
    teacher is no classifier, or its labels are not those of the first.
    """
    rows = read_lines(path)
    texts = [str(row["text"]) for row in rows]
    total, labels = np.zeros(()), tuple[str, ...]()
    for folder in teachers:
        served = Served(base, folder, device)
        if served.card.task != "classification" or (labels and served.card.labels != labels):
            raise ModelError(f"{folder}: expected a classifier with the labels of the first teacher")
        labels = served.card.labels
        total = total + served.probabilities(texts) / len(teachers)
    write_lines(target, [_soft(row, one, labels, hard) for row, one in zip(rows, total, strict=True)])
    return len(rows)


def _soft(row: Row, probabilities: np.ndarray, labels: Sequence[str], hard: float) -> Row:
    mixed = {
        label: hard * (label in row["labels"]) + (1 - hard) * float(value)
        for label, value in zip(labels, probabilities, strict=True)
    }
    kept = {label: round(value, 4) for label, value in mixed.items() if value >= LEAST}
    return {"text": row["text"], "labels": list(kept), "probabilities": list(kept.values())}
