"""Fusion: boosting's logit, corrected by a top-2 mixture of three experts.

A gate picks two of three experts for each payment (Shazeer et al. 2017, arXiv:1701.06538); each of them adds a
correction that it reads off its own logit and boosting's. So what each contributes is a plain sum, and a mixture
that has nothing to say is boosting itself. The balance loss is that of Fedus et al. 2021 (arXiv:2101.03961).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

EXPERTS = ("tabular", "sequence", "graph")
CHOSEN = 2
HIDDEN = 8
BOUND = 6.0
"""Logits are squashed to about this size before small nets read them."""


class Fused(NamedTuple):
    """Raw logit [B]; what each of E experts adds to it [B, E]; the gate's probabilities and its choice, 0 or 1."""

    logit: Tensor
    parts: Tensor
    gate: Tensor
    chosen: Tensor


class Fusion(nn.Module):
    """Calibrated logits [B, 3], in the order of EXPERTS, -> Fused of the named experts (two or three).

    The first of them is the base that is corrected: boosting, unless it is left out to see what it is worth.
    usual [E]: what each expert adds to a genuine payment's raw logit, on average.
    """

    places: Tensor
    usual: Tensor

    def __init__(self, names: tuple[str, ...] = EXPERTS) -> None:
        super().__init__()
        count = len(names)
        self.register_buffer("places", torch.tensor([EXPERTS.index(name) for name in names]), False)
        self.register_buffer("usual", torch.zeros(count))
        self.scale = nn.Parameter(torch.ones(1))
        self.gate = nn.Sequential(nn.Linear(count, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, count))
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(2, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 1)) for _ in names
        )

    def forward(self, logits: Tensor) -> Fused:
        own = logits[:, self.places]
        read = (own + 4) / BOUND
        gate = torch.softmax(self.gate(read), -1)
        top = gate.topk(CHOSEN, dim=-1)
        chosen = torch.zeros_like(gate).scatter(-1, top.indices, 1.0)
        weight = gate * chosen
        weight = weight / weight.sum(-1, keepdim=True)
        added = torch.cat(
            [one(torch.stack([read[:, 0], read[:, place]], 1)) for place, one in enumerate(self.experts)], -1
        )
        parts = weight * added
        parts = torch.cat([parts[:, :1] + self.scale * own[:, :1], parts[:, 1:]], -1)
        return Fused(parts.sum(-1), parts, gate, chosen)


def balance_loss(fused: Fused) -> Tensor:
    """1 if every expert is chosen equally often, more if not."""
    use = fused.chosen.mean(0) / CHOSEN
    loss: Tensor = fused.gate.shape[1] * (use.detach() * fused.gate.mean(0)).sum()
    return loss


def expert_use(fused: Fused) -> Tensor:
    """Share [E] of all choices that fell on each expert."""
    return fused.chosen.mean(0) / CHOSEN
