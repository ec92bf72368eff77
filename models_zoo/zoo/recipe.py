"""`spec.toml` of a task: how it is trained, and what its card says in words."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models_zoo.llm.card import ModelError, record_from
from models_zoo.llm.training.spec import TrainSpec
from models_zoo.zoo.tasks import MIX, VALIDATION, Task


@dataclass(slots=True, frozen=True)
class Words:
    """`[card]`: what an adapter is for, and what not to expect of it."""

    purpose: str
    limits: tuple[str, ...]
    data: tuple[str, ...]


@dataclass(slots=True, frozen=True)
class Teachers:
    """`[teachers]`: larger classifiers, whose mean probabilities the one that ships learns (`distil`).

    count    of them, with the seeds 0, 1, ...
    hard     share of the true labels in what is learned
    changes  fields of `TrainSpec` in which they differ from the recipe
    """

    count: int
    hard: float = 0.4
    changes: dict[str, Any] = field(default_factory=dict)

    def settings(self, seed: int) -> dict[str, Any]:
        """The fields that are changed for the teacher with this seed."""
        return self.changes | {"seed": seed}


def read_teachers(task: Task) -> Teachers | None:
    """None where the adapter learns from the data alone. Raises `ModelError` naming a field."""
    path = task.folder / "spec.toml"
    values = tomllib.loads(path.read_text(encoding="utf-8")).get("teachers")
    return None if values is None else record_from(Teachers, values, where=f"{path}: teachers")


def read_recipe(task: Task) -> tuple[dict[str, Any], Words]:
    """The fields of `TrainSpec` that the recipe sets, and the words. Raises `ModelError` naming a field."""
    path = task.folder / "spec.toml"
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    words = record_from(Words, values.pop("card", {}), where=f"{path}: card")
    values.pop("teachers", None)
    return values, words


def training_spec(
    task: Task, work: Path, base: Path, device: str, changes: Mapping[str, Any] | None = None
) -> TrainSpec:
    """The run that makes the adapter from the data in `work`, into `work / "adapter"`; resumed when it was cut off.

    changes: fields and values over the recipe's. Raises `ModelError` naming the field.
    """
    values, _ = read_recipe(task)
    values |= changes or {}
    places = {
        "base": base, "target": work / "adapter", "train": work / "train.jsonl",
        "evaluation": work / f"{VALIDATION}.jsonl", "checkpoint": work / "checkpoint.safetensors", "device": device,
    }  # fmt: skip
    if mixed(values):
        places["mix"] = work / f"{MIX}.jsonl"
    return record_from(TrainSpec, values | places, where=str(task.folder / "spec.toml"))


def mixed(values: Mapping[str, Any]) -> bool:
    """Whether a recipe has a second data set blended in."""
    return "mix_schedule" in values


def changed(changes: Sequence[str]) -> Mapping[str, Any]:
    """The fields that "field=value" texts set. Raises `ModelError` for one that is not TOML."""
    values: dict[str, Any] = {}
    for change in changes:
        try:
            values |= tomllib.loads(change)
        except tomllib.TOMLDecodeError as error:
            raise ModelError(f"--set {change}: {error}") from error
    return values
