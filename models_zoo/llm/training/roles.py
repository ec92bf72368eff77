"""What the training loop needs of what it trains and of the task: adapters and whole models share the loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from models_zoo.llm.training.data import Example
from models_zoo.llm.training.spec import TrainSpec


class Trainee(Protocol):
    """What is being trained."""

    device: torch.device

    def train(self, mode: bool) -> None:
        """Dropout on or off."""
        ...

    def parameters(self) -> list[nn.Parameter]:
        """All that is learned, always in the same order."""
        ...

    def groups(self, spec: TrainSpec) -> list[dict[str, Any]]:
        """The same for the optimizer, each group with its learning rate."""
        ...


class Speaker(Protocol):
    """What can be asked while it is trained. context: tokens of a question with its answer, at most."""

    context: int

    def train(self, mode: bool) -> None:
        """Dropout on or off."""
        ...

    def greedy(self, prompt: Sequence[int], most: int) -> list[int]:
        """The likeliest next tokens after `prompt`, until the end token, which is left out, or `most` of them."""
        ...


class Task(Protocol):
    """How examples become a loss, and how good a state is."""

    thresholds: dict[str, float]

    def loss(self, examples: Sequence[Example]) -> Tensor:
        """The mean over the examples' targets, a scalar."""
        ...

    def terms(self, examples: Sequence[Example]) -> int:
        """Over how many losses that mean goes."""
        ...

    def evaluate(self, examples: Sequence[Example], choose: bool) -> dict[str, float]:
        """Metrics; the higher `score`, the better."""
        ...
