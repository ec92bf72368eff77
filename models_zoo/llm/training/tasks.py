"""The three tasks: how hidden states become a loss, and how good a state is on held-out data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models_zoo.llm.heads import PooledHead, TokenHead
from models_zoo.llm.training.data import NO_TARGET, Example, batches
from models_zoo.llm.training.functions import AnswerLoss
from models_zoo.llm.training.metrics import choose_thresholds, entity_scores, label_scores, multi_label_scores
from models_zoo.llm.training.preference import PreferenceTask
from models_zoo.llm.training.spec import TrainSpec
from models_zoo.llm.training.student import Student, answer_places

EVALUATION_BATCH = 4  # times the training batch


class ChatTask:
    """Next-token cross-entropy on the assistant's turns."""

    def __init__(self, student: Student, spec: TrainSpec) -> None:
        self.student, self.spec = student, spec
        self.thresholds: dict[str, float] = {}

    def loss(self, examples: Sequence[Example]) -> Tensor:
        return self._loss(examples, self.spec.label_smoothing)[0]

    def terms(self, examples: Sequence[Example]) -> int:
        return answer_tokens(examples)

    def _loss(self, examples: Sequence[Example], smoothing: float) -> tuple[Tensor, int]:
        hidden, _ = self.student.hidden(examples)
        row, column, target = answer_places(examples, hidden.device)
        picked, head = hidden[row, column], self.student.decoder.head
        loss: Tensor = AnswerLoss.apply(  # type: ignore[no-untyped-call]
            picked, target, head, smoothing, self.student.pause
        )
        return loss, len(target)

    def evaluate(self, examples: Sequence[Example], choose: bool) -> dict[str, float]:
        """Mean loss and perplexity of the answers' tokens."""
        return answer_metrics(lambda few: self._loss(few, 0.0), examples, self.spec.batch_size)


def answer_tokens(examples: Sequence[Example]) -> int:
    """How many positions have a target."""
    return sum(target != NO_TARGET for example in examples for target in example.targets)


def answer_metrics(
    loss: Callable[[list[Example]], tuple[Tensor, int]], examples: Sequence[Example], size: int
) -> dict[str, float]:
    """Mean loss in nats and perplexity of the answers' tokens; `loss` gives a batch's mean and its tokens."""
    total, count = 0.0, 0
    for indices in batches(examples, size):
        mean, tokens = loss([examples[index] for index in indices])
        total, count = total + float(mean) * tokens, count + tokens
    mean_loss = total / count
    return {"score": -mean_loss, "loss": mean_loss, "perplexity": perplexity(mean_loss)}


def perplexity(loss: float) -> float:
    """Of a mean loss in nats a token; at most what a file of numbers can hold."""
    return math.exp(min(loss, 700.0))


class ClassificationTask:
    """One label of many by cross-entropy, or several at once by binary cross-entropy."""

    def __init__(self, student: Student, spec: TrainSpec, head: PooledHead) -> None:
        self.student, self.spec, self.head = student, spec, head
        self.labels = student.card.labels
        self.thresholds: dict[str, float] = {}

    def loss(self, examples: Sequence[Example]) -> Tensor:
        logits, wanted = self._logits(examples), self._wanted(examples).to(self.student.device)
        if self.spec.multi_label:
            # a quarter of the sum over labels: about the size of a single label's cross-entropy
            return F.binary_cross_entropy_with_logits(logits, wanted) * len(self.labels) / 4
        return F.cross_entropy(logits, wanted, label_smoothing=self.spec.label_smoothing)

    def terms(self, examples: Sequence[Example]) -> int:
        return len(examples)

    def evaluate(self, examples: Sequence[Example], choose: bool) -> dict[str, float]:
        """F1 or accuracy; with `choose`, thresholds of several labels are chosen on these very examples."""
        scores = torch.zeros(len(examples), len(self.labels))
        for indices in batches(examples, self.spec.batch_size * EVALUATION_BATCH):
            scores[indices] = self._logits([examples[index] for index in indices]).float().cpu()
        wanted = self._wanted(examples)
        if not self.spec.multi_label:
            return label_scores(scores, wanted.argmax(dim=1))
        probability = scores.sigmoid()
        if choose:
            thresholds = choose_thresholds(probability, wanted)
            self.thresholds = dict(zip(self.labels, thresholds.tolist(), strict=True))
        limits = torch.tensor([self.thresholds.get(label, 0.5) for label in self.labels])
        return multi_label_scores(probability, wanted, limits)

    def _logits(self, examples: Sequence[Example]) -> Tensor:
        logits: Tensor = self.head(*self.student.hidden(examples))
        return logits

    def _wanted(self, examples: Sequence[Example]) -> Tensor:
        """float32 [B, labels]: one at the labels that hold, or what a teacher finds them probable."""
        wanted = torch.zeros(len(examples), len(self.labels))
        pairs = [(row, label) for row, example in enumerate(examples) for label in example.targets]
        if pairs:
            row, label = torch.tensor(pairs).unbind(dim=1)
            wanted[row, label] = torch.tensor(
                [value for example in examples for value in example.soft or [1.0] * len(example.targets)]
            )
        return wanted


class TaggingTask:
    """Cross-entropy of each unit's BIO tag."""

    def __init__(self, student: Student, spec: TrainSpec, head: TokenHead) -> None:
        self.student, self.spec, self.head = student, spec, head
        self.thresholds: dict[str, float] = {}

    def loss(self, examples: Sequence[Example]) -> Tensor:
        wanted = [tag for example in examples for tag in example.targets]
        logits = self._logits(examples)
        return F.cross_entropy(
            logits, torch.tensor(wanted, device=logits.device), label_smoothing=self.spec.label_smoothing
        )

    def terms(self, examples: Sequence[Example]) -> int:
        return sum(len(example.targets) for example in examples)

    def evaluate(self, examples: Sequence[Example], choose: bool) -> dict[str, float]:
        """Exact-match entity precision, recall and F1."""
        found: dict[int, list[int]] = {}
        for indices in batches(examples, self.spec.batch_size * EVALUATION_BATCH):
            chosen = [examples[index] for index in indices]
            tags = iter(self._logits(chosen).argmax(dim=-1).tolist())
            for index in indices:
                found[index] = [next(tags) for _ in examples[index].targets]
        wanted_of: dict[int, list[int]] = {}
        found_of: dict[int, list[int]] = {}
        for index, example in enumerate(examples):
            wanted_of.setdefault(example.document, []).extend(example.targets)
            found_of.setdefault(example.document, []).extend(found[index])
        return entity_scores(wanted_of, found_of)

    def _logits(self, examples: Sequence[Example]) -> Tensor:
        """[units, tags] of all units of all examples, in order."""
        hidden, _ = self.student.hidden(examples)
        places = [(row, position) for row, example in enumerate(examples) for position in example.positions]
        row, position = torch.tensor(places, device=hidden.device).unbind(dim=1)
        logits: Tensor = self.head(hidden[row, position])
        return logits


TrainingTask = ChatTask | PreferenceTask | ClassificationTask | TaggingTask


def build_task(student: Student, spec: TrainSpec) -> TrainingTask:
    """The task that the student's head is for."""
    if isinstance(student.head, PooledHead):
        return ClassificationTask(student, spec, student.head)
    if isinstance(student.head, TokenHead):
        return TaggingTask(student, spec, student.head)
    return PreferenceTask(student, spec) if spec.method == "dpo" else ChatTask(student, spec)
