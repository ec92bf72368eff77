"""What is trained when everything is: the whole model, on its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch.nn.functional as F
from torch import Tensor, nn

from models_zoo.llm.card import BaseConfig
from models_zoo.llm.hf_folder import own_name
from models_zoo.llm.training.bases.reader import Reader
from models_zoo.llm.training.bases.spec import BaseSpec
from models_zoo.llm.training.data import Example
from models_zoo.llm.training.ranks import Losses, Ranks, whole
from models_zoo.llm.training.roles import Task
from models_zoo.llm.training.spec import TrainSpec
from models_zoo.llm.training.tasks import answer_metrics, answer_tokens

if TYPE_CHECKING:
    from torch.distributed.fsdp import FSDPModule


class WholeModel:
    """A reader of which every weight is learned, float32; of several processes each holds a part of every weight.

    end: the token that ends an answer.
    """

    def __init__(self, reader: Reader, shape: BaseConfig, end: int, ranks: Ranks) -> None:
        if ranks.count > 1:
            # takes a second to import, which a process that trains alone does not spend
            from torch.distributed.fsdp import fully_shard

            for layer in reader.model.model.layers:
                fully_shard(layer)
            # after an evaluation too, the parameters are the pieces that the optimizer knows
            fully_shard(reader, reshard_after_forward=True)
        self.reader, self.shape, self.ranks = reader, shape, ranks
        self.device, self.context, self._end = reader.device, shape.context, end

    def losses(self, task: Task) -> Losses:
        """Of the whole batch; gradients are put together before a step alone."""
        losses = self.ranks.losses(task)
        if self.ranks.count == 1:
            return losses

        def loss(batch: Sequence[Example], last: bool) -> Tensor:
            cast("FSDPModule", self.reader).set_requires_gradient_sync(last)
            return losses(batch, last)

        return loss

    def weights(self, wanted: bool) -> dict[str, Tensor]:
        """All of them by our names, float32 on the CPU, if they are wanted here. Every process must ask."""
        named = self.reader.model.named_parameters()  # a tied head is no parameter of its own
        return {own_name(name): whole(value, wanted) for name, value in named}

    def train(self, mode: bool) -> None:
        """Layers may be computed again for the gradient only in training mode."""
        self.reader.train(mode)

    def greedy(self, prompt: Sequence[int], most: int) -> list[int]:
        """See `Speaker`. Of several processes all must ask, and all are told the same."""
        said: list[int] = self.reader("continued", prompt, self._end, most)
        return said

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

    def terms(self, examples: Sequence[Example]) -> int:
        """The answers' tokens."""
        return answer_tokens(examples)

    def evaluate(self, examples: Sequence[Example], choose: bool) -> dict[str, float]:
        """Mean loss and perplexity of the answers' tokens."""
        return answer_metrics(self._mean, examples, self.spec.batch_size)

    def _mean(self, examples: list[Example]) -> tuple[Tensor, int]:
        logits, target = self.student.reader("answers", examples)
        return F.cross_entropy(logits, target), len(target)
