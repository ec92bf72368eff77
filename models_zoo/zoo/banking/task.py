"""banking77 (Casanueva et al., 2020): 77 fine intents of a bank's customers. The test file is only measured on."""

from __future__ import annotations

from pathlib import Path
from random import Random

from models_zoo.zoo.augment import retyped
from models_zoo.zoo.files import Row, read_csv, share_of
from models_zoo.zoo.measures import accuracy
from models_zoo.zoo.tasks import VALIDATION, Bar, Task

HELD = 0.1  # of the training texts, for validation
RETYPED = 0.4


def examples(data: Path, part: str) -> list[Row]:
    """Rows of a part. Raises OSError, and KeyError for a file without `text` and `category`."""
    name = "test" if part == "test" else "train"
    found = read_csv(data / "support_banking77" / f"{name}.csv.gz")
    rows: list[Row] = [{"text": row["text"].strip(), "labels": [row["category"]]} for row in found]
    if part == "test":
        return rows
    held = [row for row in rows if share_of(row["text"]) < HELD]
    if part == VALIDATION:
        return held
    return list(retyped((row for row in rows if share_of(row["text"]) >= HELD), RETYPED, Random(4)))


TASK = Task(
    folder=Path(__file__).parent,
    examples=examples,
    measures={"test": accuracy()},
    bars={"test accuracy": Bar(0.925)},
)
