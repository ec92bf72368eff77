"""Training of the nets and of their fusion, on any device."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from models_zoo.fraud import metrics
from models_zoo.fraud.experts.fusion import EXPERTS, Fused, Fusion, balance_loss
from models_zoo.fraud.experts.inputs import Inputs
from models_zoo.fraud.experts.rows import Rows

Report = Callable[[str], None]
EVERY = 3
"""Each epoch is judged by every third validation payment."""


@dataclass(slots=True, frozen=True)
class Plan:
    """How a net is trained; the epoch with the best validation AP is kept. `balance` weighs the fusion's load."""

    epochs: int = 24
    batch: int = 4096
    rate: float = 8e-3
    decay: float = 1e-2
    fusion_steps: int = 500
    fusion_rate: float = 0.02
    balance: float = 0.5
    seed: int = 9


def fit(net: nn.Module, train: Rows, validation: Rows, plan: Plan, report: Report) -> nn.Module:
    """Train in place on [N] rows of the same device, and return the net of the best epoch."""
    torch.manual_seed(plan.seed)
    order = torch.Generator().manual_seed(plan.seed)
    steps = max(len(train) // plan.batch, 1)
    optimizer = torch.optim.AdamW(net.parameters(), plan.rate, weight_decay=plan.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.rate, plan.epochs * steps)
    labels = train.labels.float()
    best, kept = -1.0, copy.deepcopy(net)
    some = validation.part(torch.arange(0, len(validation), EVERY, device=labels.device))
    for epoch in range(plan.epochs):
        net.train()
        began, total = time.monotonic(), torch.zeros((), device=labels.device)
        shuffled = torch.randperm(len(train), generator=order).to(labels.device)
        for index in torch.split(shuffled[: steps * plan.batch], plan.batch):
            _, logit = net(_taken(train.given, index), whole=labels.is_cuda)
            loss = nn.functional.binary_cross_entropy_with_logits(logit, labels[index])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.detach()
        reached = average_precision(some, logits(net, some))
        if reached > best:
            best, kept = reached, copy.deepcopy(net)
        took = time.monotonic() - began
        report(
            f"epoch {epoch + 1}: loss {total.item() / steps:.4f}, validation AP {reached:.4f}, {took:.0f} s"
        )
    return kept.eval()


def _taken(given: Inputs, index: Tensor) -> Inputs:
    payment, binned, values, *rest = (one[index] for one in given.tensors())
    return Inputs(payment, binned, values.float(), *rest)


@torch.inference_mode()
def logits(net: nn.Module, rows: Rows, size: int = 4096) -> Tensor:
    """Raw logits float32 [N]."""
    net.eval()
    whole = torch.arange(len(rows), device=rows.labels.device)
    found = [
        net(_taken(rows.given, index), whole=rows.labels.is_cuda)[1] for index in torch.split(whole, size)
    ]
    return torch.cat(found).float()


class Labelled(Protocol):
    """Payments with labels bool [N]."""

    @property
    def labels(self) -> Tensor: ...


def average_precision(rows: Labelled, scores: Tensor) -> float:
    """Of a ranking of rows."""
    return metrics.average_precision(rows.labels.cpu().numpy(), scores.double().cpu().numpy())


def fuse(given: Tensor, labels: Tensor, plan: Plan, names: tuple[str, ...] = EXPERTS) -> Fusion:
    """A fusion fitted on calibrated logits float32 [N, 3] and labels bool [N], of the named experts alone."""
    torch.manual_seed(plan.seed)
    fusion = Fusion(names).to(given.device)
    optimizer = torch.optim.AdamW(fusion.parameters(), plan.fusion_rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.fusion_rate, plan.fusion_steps)
    wanted = labels.float()
    for _ in range(plan.fusion_steps):
        fused: Fused = fusion(given)
        loss = nn.functional.binary_cross_entropy_with_logits(fused.logit, wanted)
        # The loss of a payment is about the entropy of a rare event: the balance is weighed in its units.
        weighed = loss + plan.balance * _entropy(float(wanted.mean())) * balance_loss(fused)
        optimizer.zero_grad()
        weighed.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return fusion.eval()


def _entropy(share: float) -> float:
    return -share * math.log(share) - (1 - share) * math.log(1 - share)


def gain(
    labels: Tensor, ours: Tensor, theirs: Tensor, groups: Tensor, draws: int = 300
) -> tuple[float, float, float]:
    """Difference in average precision with its 95 % interval, drawn by `groups` (see `metrics.paired_interval`)."""
    label, our, their, group = (np.asarray(one.cpu().numpy()) for one in (labels, ours, theirs, groups))
    return metrics.paired_interval(label, our, their, group, draws)
