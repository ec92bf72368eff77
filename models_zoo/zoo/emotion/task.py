"""GoEmotions (Demszky et al., 2020): 28 labels, several at once, by macro-F1."""

from __future__ import annotations

from pathlib import Path
from random import Random

from models_zoo.emotion.labels import LABELS
from models_zoo.zoo.augment import retyped
from models_zoo.zoo.files import Row, read_text
from models_zoo.zoo.measures import macro_f1
from models_zoo.zoo.tasks import TRAIN, Bar, Task
from models_zoo.zoo.thresholds import of_each_label

FILES = {"train": "train.tsv.gz", "validation": "dev.tsv", "test": "test.tsv"}
RETYPED = 0.1


def examples(data: Path, part: str) -> list[Row]:
    """Rows of a part; in training a share of them comes once more as somebody else would type it.

    OSError when the data is not there; ValueError names a line that is not `text, ids, comment id` or a label file
    that is not GoEmotions' own.
    """
    folder = data / "support_goemotions" / "original"
    _check_labels(folder / "labels.txt")
    path = folder / FILES[part]
    lines = read_text(path).splitlines()
    rows = [_row(line, f"{path.name}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]
    return list(retyped(rows, RETYPED, Random(1))) if part == TRAIN else rows


def _row(line: str, where: str) -> Row:
    fields = line.split("\t")
    try:
        labels = [LABELS[int(part)] for part in fields[1].split(",")]
    except (IndexError, ValueError) as error:
        raise ValueError(f"{where}: expected text, label ids and comment id, separated by tabs") from error
    return {"text": fields[0], "labels": labels}


def _check_labels(path: Path) -> None:
    if tuple(read_text(path).split()) != LABELS:
        raise ValueError(f"{path}: not the 28 labels of GoEmotions in their order")


TASK = Task(
    folder=Path(__file__).parent,
    examples=examples,
    measures={"test": macro_f1(LABELS)},
    bars={"test macro_f1": Bar(0.54, 0.56)},
    settle=of_each_label,
)
