"""What of a test part is in the training data: exactly (case and punctuation aside), or nearly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from models_zoo.texts.near import Index, normal
from models_zoo.zoo.files import Row
from models_zoo.zoo.recipe import mixed, read_recipe
from models_zoo.zoo.tasks import MIX, TRAIN, Task

NEAR = 0.8  # of five-character pieces in common (Jaccard)
SHOWN = 3


@dataclass(slots=True, frozen=True)
class Leakage:
    """Of one part: examples, those that training holds exactly, and those that it holds nearly."""

    examples: int
    exact: int
    near: int
    shown: tuple[tuple[str, str], ...] = ()

    def record(self) -> dict[str, object]:
        """As JSON, without texts."""
        return {key: value for key, value in asdict(self).items() if key != "shown"}


def leakage(task: Task, data: Path, limit: int | None = None) -> dict[str, Leakage]:
    """Of every part that is not trained on, validation too."""
    learned = (TRAIN, MIX) if mixed(read_recipe(task)[0]) else (TRAIN,)
    train = [normal(text_of(row)) for part in learned for row in task.examples(data, part)]
    exact, index = set(train), Index()
    for number, text in enumerate(train):
        index.add(number, text)
    return {
        part: _of(task.examples(data, part)[:limit], train, exact, index)
        for part in task.parts
        if part != TRAIN
    }


def text_of(row: Row) -> str:
    """What an adapter reads of an example."""
    return str(row["text"] if "text" in row else row["messages"][-2]["content"])


def _of(rows: Sequence[Row], train: Sequence[str], exact: set[str], index: Index) -> Leakage:
    same, shown = 0, list[tuple[str, str]]()
    near = 0
    for text in map(normal, map(text_of, rows)):
        if text in exact:
            same += 1
        elif (found := index.most_like(text, NEAR)) is not None:
            near += 1
            shown.append((text[:160], train[found[0]][:160]))
    return Leakage(len(rows), same, near, tuple(shown[:SHOWN]))
