"""The sequence expert: attention over the events of payer and payee, oldest first, the payment itself as last token."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models_zoo.fraud.experts.attention import Attention
from models_zoo.fraud.experts.events import EventEmbedding, PaymentEmbedding
from models_zoo.fraud.experts.inputs import EVENTS, Inputs

READ = 2
"""Sides that are read: payer and payee."""


class Layer(nn.Module):
    """Attention and feed-forward, each on normalised input and added (pre-norm)."""

    def __init__(self, width: int, kind: str, reach: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, kind=kind, reach=reach)
        self.forth = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, given: Tensor, there: Tensor) -> Tensor:
        given = given + self.attention(self.first(given), there)
        added: Tensor = given + self.forth(self.second(given))
        return added


class SequenceExpert(nn.Module):
    """Inputs -> encoding [B, out] and raw logit [B]. `kind` and `reach` are those of `Attention`."""

    def __init__(
        self, width: int = 32, out: int = 32, layers: int = 2, kind: str = "dense", reach: int = 8
    ) -> None:
        super().__init__()
        self.events = EventEmbedding(width)
        self.payment = PaymentEmbedding(width)
        self.recency = nn.Parameter(torch.zeros(EVENTS, width))
        self.side = nn.Parameter(torch.randn(READ, 1, width) * 0.1)
        self.layers = nn.ModuleList(Layer(width, kind, reach) for _ in range(layers))
        self.out = nn.Linear(READ * 3 * width + width, out)
        self.head = nn.Linear(out, 1)

    def forward(self, given: Inputs, whole: bool = False) -> tuple[Tensor, Tensor]:
        """`whole` is that of `GraphExpert`: here shapes never depend on the payments."""
        size, _, events = given.present.shape
        payment = self.payment(given)
        embedded = (self.events(given)[:, :READ] + self.recency[-events:]) + self.side
        query = payment[:, None, None].expand(-1, READ, 1, -1) + self.side
        tokens = torch.cat([embedded, query], 2).flatten(0, 1)
        there = nn.functional.pad(given.present[:, :READ], (0, 1), value=True).flatten(0, 1)
        for layer in self.layers:
            tokens = layer(tokens, there)
        seen = torch.relu(tokens[:, :-1]) * there[:, :-1, None]
        pooled = torch.cat([tokens[:, -1], torch.log1p(seen.sum(1)), seen.amax(1)], -1)
        encoding = torch.relu(self.out(torch.cat([pooled.view(size, -1), payment], 1)))
        return encoding, self.head(encoding).squeeze(1)
