"""What to train a base by (`BaseSpec`). Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models_zoo.llm.card import BaseCard, ModelError, record_from
from models_zoo.llm.training.spec import PATHS, TrainSpec, read_values

Recipe = Literal["full", "distil"]
STAGES = ("features", "attention", "logits")


@dataclass(slots=True, frozen=True)
class BaseSpec(TrainSpec):
    """One training whose result is a base. What `TrainSpec` says of the data, the steps and the checkpoints holds.

    recipe "full": every weight of the base is trained on the answers. "distil": a student with some of the base's
    layers learns from the base in three stages: first its layers' states, then how its last layer attends, then its
    answers (`distil`). `epochs` are those of the last stage.
    """

    recipe: Recipe = "full"
    unquantized: Path = Path()  # Hugging Face folder to write: what the base was quantized from
    source: Path | None = (
        None  # what `base` was quantized from, if that is there; None: its dequantized values
    )
    form: Literal["int4", "int8", "mixed"] = "int8"  # of the new base's linears
    learning_rate: float = 2e-5
    compute: Literal["float32", "bfloat16", "float16"] = (
        "float32"  # of the products; weights and moments are float32 always
    )

    student_layers: int | None = None  # distil: how many of the base's layers, evenly spaced; None: half
    feature_epochs: float = 1.0
    attention_epochs: float = 1.0
    temperature: float = 2.0  # of the distributions that are compared in the last stage
    hard_share: float = (
        0.5  # of the last stage's loss: the answers themselves, not the teacher's distribution
    )
    memory: int | None = None  # bytes that it may take; None: what is free on the device


def read_base_spec(path: Path) -> BaseSpec:
    """A `BaseSpec` from a TOML or JSON file, as `read_spec` reads one."""
    return record_from(BaseSpec, read_values(path, (*PATHS, "unquantized", "source")), where=str(path))


def check_base_spec(spec: BaseSpec, card: BaseCard) -> None:
    """Raises `ModelError` naming the field."""
    if spec.task != "chat":
        raise ModelError(f"spec: task is {spec.task!r}, expected 'chat': bases learn whole conversations")
    if spec.packing or spec.start_from is not None or spec.method != "lora":
        raise ModelError("spec: packing, start_from and method are for adapters")
    if spec.evaluation is None:
        raise ModelError("spec: evaluation is missing: the new base is measured beside the old one on it")
    if spec.target.exists() or spec.unquantized.exists():
        raise ModelError(f"spec: target {spec.target} or {spec.unquantized} is there, expected new folders")
    for name in ("feature_epochs", "attention_epochs", "temperature"):
        if getattr(spec, name) <= 0:
            raise ModelError(f"spec: {name} is {getattr(spec, name)}, expected more than 0")
    if not 0 <= spec.hard_share <= 1:
        raise ModelError(f"spec: hard_share is {spec.hard_share}, expected 0 to 1")
    if not 1 <= layers_of_student(spec, card) <= card.config.layers:
        raise ModelError(f"spec: student_layers is {spec.student_layers}, expected 1 to {card.config.layers}")


def layers_of_student(spec: BaseSpec, card: BaseCard) -> int:
    """How many layers the new base has."""
    if spec.recipe == "full":
        return card.config.layers
    return max(1, card.config.layers // 2) if spec.student_layers is None else spec.student_layers


def taken_layers(teacher: int, student: int) -> tuple[int, ...]:
    """Which of the teacher's layers a student is made of: evenly spaced, the last always (Jiao et al., 2020)."""
    return tuple((number + 1) * teacher // student - 1 for number in range(student))
