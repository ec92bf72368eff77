"""What each shipped adapter is made from and measured by. One module a task, one explicit table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from models_zoo.llm.card import ModelError
from models_zoo.zoo.files import Row
from models_zoo.zoo.measures import Measure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MODULES: Mapping[str, str] = {
    "support-emotion": "models_zoo.zoo.emotion.task",
    "support-intent": "models_zoo.zoo.intent.task",
    "bank-intent": "models_zoo.zoo.banking.task",
    "clinical-chemicals-diseases": "models_zoo.zoo.entities.task:CHEMICAL_DISEASE",
    "clinical-diseases": "models_zoo.zoo.entities.task:DISEASE",
    "clinical-anatomy": "models_zoo.zoo.entities.task:ANATOMY",
    "clinical-deid": "models_zoo.zoo.deid.task",
    "prompt-guard": "models_zoo.zoo.guard.task",
    "response-scorer": "models_zoo.zoo.scorer.task",
    "clinical-summary": "models_zoo.zoo.summary.task",
    "fraud-narrative": "models_zoo.zoo.narrative.task",
    "meld-emotion": "models_zoo.zoo.meld.task",
}
TRAIN, VALIDATION, MIX = "train", "validation", "mix"
# probabilities [examples, labels], rows, labels -> thresholds
Settle = Callable[["NDArray[np.float64]", Sequence[Row], Sequence[str]], dict[str, float]]


@dataclass(slots=True, frozen=True)
class Bar:
    """What a figure should reach at least, and what it aims at."""

    least: float
    aim: float | None = None


@dataclass(slots=True, frozen=True)
class Task:
    """One adapter's data, figures and bars; its folder holds `spec.toml` and, once trained, `adapter/`.

    examples(data folder, part)  rows of "train", "validation" or a key of `measures`, and of "mix" where it `mixes`;
                                 the same in every call
    measures                     test part -> what is measured on it
    bars                         "part figure" -> bar
    settle                       thresholds from validation alone; None: those that training chose, or none
    ships                        False where the data's licence lets it be measured only
    mixes                        True where a second corpus can be blended in
    """

    folder: Path
    examples: Callable[[Path, str], list[Row]]
    measures: Mapping[str, Measure]
    bars: Mapping[str, Bar] = field(default_factory=dict)
    settle: Settle | None = None
    answer_tokens: int = 0
    ships: bool = True
    mixes: bool = False

    @property
    def adapter(self) -> Path:
        """Where the shipped weights are."""
        return self.folder / "adapter"

    @property
    def parts(self) -> tuple[str, ...]:
        """All parts of its data."""
        return (TRAIN, VALIDATION, *self.measures)


def task_of(name: str) -> Task:
    """The task of the adapter called so. Raises `ModelError` naming those there are."""
    if name not in MODULES:
        raise ModelError(f"name: {name!r} is none of {', '.join(MODULES)}")
    module, _, attribute = MODULES[name].partition(":")
    task: Task = getattr(import_module(module), attribute or "TASK")
    return task


def shipped() -> list[str]:
    """The names of the adapters whose weights are here."""
    return [name for name in MODULES if (task := task_of(name)).ships and task.adapter.is_dir()]
