"""`spec.toml` of a task: how it is trained, and what its card says in words."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_zoo.llm.card import ModelError, record_from
from models_zoo.llm.training.spec import TrainSpec
from models_zoo.zoo.tasks import VALIDATION, Task


@dataclass(slots=True, frozen=True)
class Words:
    """`[card]`: what an adapter is for, and what not to expect of it."""

    purpose: str
    limits: tuple[str, ...]
    data: tuple[str, ...]


def read_recipe(task: Task) -> tuple[dict[str, Any], Words]:
    """The fields of `TrainSpec` that the recipe sets, and the words. Raises `ModelError` naming a field."""
    path = task.folder / "spec.toml"
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    words = record_from(Words, values.pop("card", {}), where=f"{path}: card")
    return values, words


def training_spec(task: Task, work: Path, base: Path, device: str, changes: Sequence[str] = ()) -> TrainSpec:
    """The run that makes the adapter from the data in `work`, into `work / "adapter"`; resumed when it was cut off.

    changes: "field=value" in TOML, over the recipe's. Raises `ModelError` naming the field.
    """
    values, _ = read_recipe(task)
    values |= changed(changes)
    places = {
        "base": base, "target": work / "adapter", "train": work / "train.jsonl",
        "evaluation": work / f"{VALIDATION}.jsonl", "checkpoint": work / "checkpoint.safetensors", "device": device,
    }  # fmt: skip
    return record_from(TrainSpec, values | places, where=str(task.folder / "spec.toml"))


def changed(changes: Sequence[str]) -> Mapping[str, Any]:
    """The fields that "field=value" texts set. Raises `ModelError` for one that is not TOML."""
    values: dict[str, Any] = {}
    for change in changes:
        try:
            values |= tomllib.loads(change)
        except tomllib.TOMLDecodeError as error:
            raise ModelError(f"--set {change}: {error}") from error
    return values
