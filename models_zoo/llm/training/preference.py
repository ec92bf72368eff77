"""Direct preference optimization (Rafailov et al., 2023) on the resident base."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models_zoo.llm.training.data import Example, batches
from models_zoo.llm.training.functions import AnswerLogProbs
from models_zoo.llm.training.spec import TrainSpec
from models_zoo.llm.training.student import Student, answer_places


class PreferenceTask:
    """The preferred answer of a pair gains on the other, by the logistic loss of `beta` times by how much more than at
    the start. With label smoothing, that share of the preferences is taken to be wrong (conservative DPO)."""

    def __init__(self, student: Student, spec: TrainSpec) -> None:
        self.student, self.spec = student, spec
        self.thresholds: dict[str, float] = {}
        self._start: dict[int, Tensor] = {}

    def begin(self, examples: Sequence[Example]) -> None:
        """Remember what the model, as it is now, gives the answers of these examples, which must outlive the run.

        Without an adapter to go on from that is the base alone: the adapter's B is still zero.
        """
        self.student.train(False)
        with torch.no_grad():
            for indices in batches(examples, self.spec.batch_size):
                pairs = [examples[index] for index in indices]
                self._start |= zip(map(id, pairs), self._log_probs(pairs).unbind(dim=1), strict=True)

    def loss(self, examples: Sequence[Example]) -> Tensor:
        return self._losses(self.margins(examples)).mean()

    def terms(self, examples: Sequence[Example]) -> int:
        return len(examples)

    def evaluate(self, examples: Sequence[Example], choose: bool) -> dict[str, float]:
        """Mean loss, how often the preferred answer has gained on the other, and by how much."""
        found = [
            self.margins([examples[index] for index in indices]).cpu()
            for indices in batches(examples, self.spec.batch_size)
        ]
        margins = torch.cat(found)
        loss = float(self._losses(margins).mean())
        accuracy = float((margins > 0).float().mean())
        return {"score": -loss, "loss": loss, "accuracy": accuracy, "margin": float(margins.mean())}

    def margins(self, pairs: Sequence[Example]) -> Tensor:
        """float32 [B]: beta times how much more the preferred answer's log-probability has grown than the other's."""
        start = torch.stack([self._start[id(pair)] for pair in pairs], dim=1)
        chosen, rejected = (self._log_probs(pairs) - start).unbind()
        return self.spec.beta * (chosen - rejected)

    def _losses(self, margins: Tensor) -> Tensor:
        wrong = self.spec.label_smoothing
        return -(1.0 - wrong) * F.logsigmoid(margins) - wrong * F.logsigmoid(-margins)

    def _log_probs(self, pairs: Sequence[Example]) -> Tensor:
        """float32 [2, B]: of the preferred answers and of the others, summed over each one's tokens."""
        answers = [*pairs, *(pair.rejected for pair in pairs if pair.rejected)]
        hidden, _ = self.student.hidden(answers)
        row, column, target = answer_places(answers, hidden.device)
        each: Tensor = AnswerLogProbs.apply(  # type: ignore[no-untyped-call]
            hidden[row, column], target, self.student.decoder.head, self.student.pause
        )
        # not by adding up in any order, as the device likes: the same run gives the same sums
        parts = torch.split(each, torch.bincount(row, minlength=len(answers)).tolist())
        return torch.stack([part.sum() for part in parts]).view(2, len(pairs))
