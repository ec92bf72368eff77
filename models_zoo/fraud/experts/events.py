"""The embedding of events that both nets begin with: numbers, binned amounts, time and side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models_zoo.fraud.experts.inputs import AGE, AMOUNT_BINS, ANCHORS, PAYMENT, RATIO_BINS, VALUES, Inputs

TIMES = 8


class TimeEncoding(nn.Module):
    """Log age [...] -> cos(frequency * age + phase) [..., TIMES], learned (Xu et al. 2020, TGAT, arXiv:2002.07962)."""

    def __init__(self) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.logspace(-0.5, 1.5, TIMES))
        self.phase = nn.Parameter(torch.zeros(TIMES))

    def forward(self, age: Tensor) -> Tensor:
        return torch.cos(age[..., None] * self.frequency + self.phase)


class EventEmbedding(nn.Module):
    """Events of Inputs [B, 4, K] -> [B, 4, K, width], zero where there is none."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.time = TimeEncoding()
        self.lines = nn.Linear(len(VALUES) + TIMES, width)
        self.amount = nn.Embedding(AMOUNT_BINS, width)
        self.ratio = nn.Embedding(RATIO_BINS, width)
        self.side = nn.Parameter(torch.zeros(ANCHORS, 1, width))

    def forward(self, given: Inputs) -> Tensor:
        plain = self.lines(torch.cat([given.values, self.time(given.values[..., AGE])], -1))
        binned = self.amount(given.amount.int()) + self.ratio(given.ratio.int())
        embedded: Tensor = torch.relu(plain + binned + self.side) * given.present[..., None]
        return embedded


class PaymentEmbedding(nn.Module):
    """The scored payment of Inputs -> [B, width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lines = nn.Linear(len(PAYMENT), width)
        self.amount = nn.Embedding(AMOUNT_BINS, width)

    def forward(self, given: Inputs) -> Tensor:
        embedded: Tensor = torch.relu(self.lines(given.payment) + self.amount(given.bin.int()))
        return embedded
