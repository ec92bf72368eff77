"""What is trained when everything is: the whole model, on its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from models_zoo.llm.training.bases.reader import Reader
from models_zoo.llm.training.bases.spec import BaseSpec
from models_zoo.llm.training.data import Example
from models_zoo.llm.training.spec import TrainSpec
from models_zoo.llm.training.tasks import answer_metrics


class WholeModel:
    """A reader of which every weight is learned, float32."""

    def __init__(self, reader: Reader) -> None:
        self.reader, self.device = reader, reader.device

    def train(self, mode: bool) -> None:
        """Layers may be computed again for the gradient only in training mode."""
        self.reader.train(mode)

    def parameters(self) -> list[nn.Parameter]:
        """A head that is tied to the embedding counts once."""
        return list(self.reader.parameters())

    def groups(self, spec: TrainSpec) -> list[dict[str, Any]]:
        """Matrices, and norms, which do not decay."""
        matrices = [one for one in self.parameters() if one.ndim > 1]
        norms = [one for one in self.parameters() if one.ndim == 1]
        rate = spec.learning_rate
        return [{"params": matrices, "lr": rate}, {"params": norms, "lr": rate, "weight_decay": 0.0}]


class AnswerTask:
    """Next-token cross-entropy on the answers."""

    def __init__(self, student: WholeModel, spec: BaseSpec) -> None:
        self.student, self.spec = student, spec
        self.thresholds: dict[str, float] = {}

    def loss(self, examples: Sequence[Example]) -> Tensor:
        """The mean over the answers' tokens, nats."""
        logits, target = self.student.reader("answers", examples)
        return F.cross_entropy(logits, target, label_smoothing=self.spec.label_smoothing)

    def evaluate(self, examples: Sequence[Example], choose: bool) -> dict[str, float]:
        """Mean loss and perplexity of the answers' tokens."""
        return answer_metrics(self._mean, examples, self.spec.batch_size)

    def _mean(self, examples: list[Example]) -> tuple[Tensor, int]:
        logits, target = self.student.reader("answers", examples)
        return F.cross_entropy(logits, target), len(target)
