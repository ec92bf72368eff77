"""De-identification: Presidio's research sentences and generated notes, split by template.

An identifier counts as found only if every letter and digit of it is covered, whatever the label.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_zoo.clinical.deid.generate import Entity, Example
from models_zoo.clinical.deid.measure import counted
from models_zoo.clinical.deid.scrub import Found
from models_zoo.zoo.augment import recased
from models_zoo.zoo.deid.data import (
    AMOUNTS,
    PRESIDIO_FILE,
    clinical,
    general,
    presidio_part,
    read_presidio,
    refilled,
)
from models_zoo.zoo.files import Row
from models_zoo.zoo.measures import Counts, Measure, Sums, ratio
from models_zoo.zoo.tasks import TRAIN, Bar, Task

SEED = 7
RECASED = 1 / 12


def examples(data: Path, part: str) -> list[Row]:
    """Rows of a part. Raises FileNotFoundError naming the file of Presidio's sentences when it is not there."""
    kind = part.split("_")[0]
    sentences = presidio_part(read_presidio(data / PRESIDIO_FILE), kind)
    random = Random(f"{SEED}:{kind}")
    if part == "test_presidio":
        return [_row(one) for _, one in sentences]
    notes = list(clinical(kind, random, AMOUNTS[kind]))
    if part == "test_clinical":
        return [_row(one) for one in notes]
    rows = [_row(one) for one in [*(one for _, one in sentences), *notes]]
    if part == TRAIN:
        more = [*refilled(sentences, random, AMOUNTS[kind].refills), *general(random, AMOUNTS[kind].general)]
        rows += [recased(_row(one), RECASED, random) for one in more]
        random.shuffle(rows)
    return rows


def _row(example: Example) -> Row:
    return {"text": example.text, "spans": [[e.start, e.end, e.label] for e in example.entities]}


def _counts(rows: Sequence[Row], given: Sequence[Any]) -> Counts:
    examples = [Example(row["text"], tuple(Entity(*span) for span in row["spans"]), "") for row in rows]
    found = [[Found(start, end, label, "adapter") for start, end, label in spans] for spans in given]
    return np.array([counted(*one) for one in zip(examples, found, strict=True)], dtype=np.float64)


def _figures(sums: Sums) -> dict[str, NDArray[np.float64]]:
    identifiers, leaked, right, taken, clean, texts = sums.T
    return {
        "recall": 1 - ratio(leaked, identifiers),
        "precision": ratio(right, taken),
        "clean": ratio(clean, texts),
    }


BARS = {"recall": Bar(0.97), "precision": Bar(0.90)}
SETS = ("test_presidio", "test_clinical")

TASK = Task(
    folder=Path(__file__).parent,
    examples=examples,
    measures=dict.fromkeys(SETS, Measure(_counts, _figures)),
    bars={f"{part} {name}": bar for part in SETS for name, bar in BARS.items()},
)
