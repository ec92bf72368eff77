"""What an ensemble of larger adapters agrees on is learned by the one that ships (Hinton et al., 2015).

A classifier learns the teachers' mean probabilities of its own training texts; a tagger the entities that their mean
finds in texts of another corpus, whose annotators followed another guideline, or none of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from models_zoo.llm.card import ModelError
from models_zoo.zoo.files import Row, read_lines, write_lines
from models_zoo.zoo.recipe import read_recipe
from models_zoo.zoo.served import Served
from models_zoo.zoo.tasks import MIX, TRAIN, Task

LEAST = 0.005  # of a probability that is written: the rest is as good as none


def distil(task: Task, base: Path, teachers: Sequence[Path], work: Path, device: str, hard: float) -> str:
    """Write what teachers say of the prepared data in `work`, in place; gives a line about it. Raises `ModelError`.

    hard: share of the true labels in what a classifier learns
    """
    kind = read_recipe(task)[0]["task"]
    if kind == "classification":
        path = work / f"{TRAIN}.jsonl"
        count = soften(base, teachers, path, path, device, hard)
    elif kind == "tagging":
        path = work / f"{MIX}.jsonl"
        count = relabel(base, teachers, path, path, device)
    else:
        raise ModelError(f"{task.folder.name}: is for {kind}, expected a classifier or a tagger")
    return f"{path.stem}: {count:,} examples, with what {len(teachers)} teachers say of them"


def soften(base: Path, teachers: Sequence[Path], path: Path, target: Path, device: str, hard: float) -> int:
    """Write the training rows of `path` with probabilities into `target`; gives how many there are.

    Of each label the mean of what the teachers say, a share `hard` of it the true label. Raises `ModelError` when a
    teacher is no classifier, or its labels are not those of the first.
    """
    rows = read_lines(path)
    texts = [str(row["text"]) for row in rows]
    total, labels = np.zeros(()), tuple[str, ...]()
    for served in _alike(base, teachers, device, "classification"):
        labels = served.card.labels
        total = total + served.probabilities(texts) / len(teachers)
    write_lines(target, [_soft(row, one, labels, hard) for row, one in zip(rows, total, strict=True)])
    return len(rows)


def relabel(base: Path, teachers: Sequence[Path], path: Path, target: Path, device: str) -> int:
    """Write the texts of `path` into `target` with the spans that the teachers' mean finds; gives how many there are.

    Raises `ModelError` when a teacher is no tagger, or its labels are not those of the first.
    """
    texts = [str(row["text"]) for row in read_lines(path)]
    total: list[np.ndarray] = []
    for served in _alike(base, teachers, device, "tagging"):
        found = served.tags(texts)
        total = [a + b for a, b in zip(total, found, strict=True)] if total else found
        last = served
    write_lines(
        target,
        [
            {"text": text, "spans": [list(span) for span in spans]}
            for text, spans in zip(texts, last.read(texts, total), strict=True)
        ],
    )
    return len(texts)


def _alike(base: Path, teachers: Sequence[Path], device: str, kind: str) -> Iterator[Served]:
    labels: tuple[str, ...] = ()
    for folder in teachers:
        served = Served(base, folder, device)
        if served.card.task != kind or (labels and served.card.labels != labels):
            raise ModelError(f"{folder}: expected an adapter for {kind} with the labels of the first teacher")
        labels = served.card.labels
        yield served


def _soft(row: Row, probabilities: np.ndarray, labels: Sequence[str], hard: float) -> Row:
    mixed = {
        label: hard * (label in row["labels"]) + (1 - hard) * float(value)
        for label, value in zip(labels, probabilities, strict=True)
    }
    kept = {label: round(value, 4) for label, value in mixed.items() if value >= LEAST}
    return {"text": row["text"], "labels": list(kept), "probabilities": list(kept.values())}
