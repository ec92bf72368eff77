"""Distillation in three stages, each with a loss of its own and on all that the one before has learned.

features   the states behind the student's layers are those behind the teacher's layers they were made from, as in
           TinyBERT (Jiao et al., 2020) and FitNets (Romero et al., 2015), relative to each token's own size: the first
           tokens' are hundreds of times as large as the others'
attention  in the last layer, which token resembles which: the relations among queries, among keys and among values
           are the teacher's, as in MiniLMv2 (Wang et al., 2021), causal here
logits     the answers' distributions, softened (Hinton et al., 2015), beside the answers themselves
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models_zoo.llm.training.bases.reader import Reader, kept
from models_zoo.llm.training.bases.spec import BaseSpec
from models_zoo.llm.training.bases.whole import AnswerTask, WholeModel
from models_zoo.llm.training.data import Example, batches


class FeatureTask:
    """The first stage. taken: which of the teacher's layers each of the student's was made from."""

    name = "features"

    def __init__(self, student: WholeModel, spec: BaseSpec, teacher: Reader, taken: Sequence[int]) -> None:
        self.student, self.spec, self.teacher, self.taken = student, spec, teacher, taken
        self.thresholds: dict[str, float] = {}

    def loss(self, examples: Sequence[Example]) -> Tensor:
        """Squared distance of a token's state from the teacher's, of whose square it is a share: the mean over tokens
        and layers."""
        with torch.no_grad():
            wanted = self.teacher(self.name, examples)
        found = self.student.reader(self.name, examples)
        pairs = [(state, wanted[layer]) for state, layer in zip(found, self.taken, strict=True)]
        return torch.stack([_distance(state, other) for state, other in pairs]).mean()

    def terms(self, examples: Sequence[Example]) -> int:
        """All tokens."""
        return sum(len(example.ids) for example in examples)

    def evaluate(self, examples: Sequence[Example], choose: bool) -> dict[str, float]:
        """The stage's own loss, of batches of like length."""
        found = [
            self.loss([examples[index] for index in few]) for few in batches(examples, self.spec.batch_size)
        ]
        mean = float(torch.stack(found).mean())
        return {"score": -mean, f"{self.name}_loss": mean}


class AttentionTask(FeatureTask):
    """The second stage."""

    name = "attention"

    def loss(self, examples: Sequence[Example]) -> Tensor:
        """Divergence of each token's relation to those before it, nats: the mean over heads, tokens and the three
        kinds."""
        with torch.no_grad():
            wanted = self.teacher(self.name, examples)
        found = self.student.reader(self.name, examples)
        keep = kept(examples).to(self.student.device)
        pairs = zip(found, wanted, strict=True)
        return torch.stack([_divergence(mine, theirs, keep) for mine, theirs in pairs]).mean()


class LogitTask(AnswerTask):
    """The third stage: measured like any model that answers."""

    def __init__(self, student: WholeModel, spec: BaseSpec, teacher: Reader) -> None:
        super().__init__(student, spec)
        self.teacher = teacher

    def loss(self, examples: Sequence[Example]) -> Tensor:
        """`hard_share` of the answers' cross-entropy, the rest the divergence from the teacher at `temperature`."""
        with torch.no_grad():
            wanted, _ = self.teacher("answers", examples)
        found, target = self.student.reader("answers", examples)
        heat, hard = self.spec.temperature, self.spec.hard_share
        soft = F.kl_div(
            (found / heat).log_softmax(dim=-1),
            (wanted / heat).log_softmax(dim=-1),
            reduction="batchmean",
            log_target=True,
        )
        answers = F.cross_entropy(found, target, label_smoothing=self.spec.label_smoothing)
        return hard * answers + (1 - hard) * heat**2 * soft


def _distance(state: Tensor, wanted: Tensor) -> Tensor:
    """Of states float32 [tokens, H], a scalar."""
    return ((state - wanted).square().sum(dim=1) / wanted.square().sum(dim=1)).mean()


def _divergence(mine: Tensor, theirs: Tensor, keep: Tensor) -> Tensor:
    """Kullback-Leibler divergence of what vectors float32 [B, heads, T, D] make of each other; keep bool [B, T]."""
    length = mine.shape[2]
    causal = torch.ones(length, length, dtype=torch.bool, device=mine.device).tril()
    logs = [
        (one @ one.transpose(2, 3) / math.sqrt(one.shape[3])).masked_fill(~causal, -1e9).log_softmax(dim=-1)
        for one in (mine, theirs)
    ]
    each = F.kl_div(logs[0], logs[1], reduction="none", log_target=True).sum(dim=-1)  # [B, heads, T]
    return each.transpose(1, 2)[keep].mean()
