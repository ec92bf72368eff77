"""Heads on the decoder's hidden states: one for a text's class, one for its tokens' tags."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models_zoo.llm.card import AdapterCard


class PooledHead(nn.Module):
    """Class logits of a text from an attention-weighted mean beside the plain mean (or, causally, the last
    state)."""

    def __init__(self, hidden: int, classes: int, bidirectional: bool, dropout: float = 0.1) -> None:
        super().__init__()
        self.bidirectional = bidirectional
        self.attention = nn.Linear(hidden, 1)
        self.norm = nn.LayerNorm(2 * hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden, classes)

    def forward(self, hidden: Tensor, keep: Tensor) -> Tensor:
        """hidden float32 [B, T, H], keep bool [B, T] (False at right padding) -> logits [B, classes]."""
        scores = self.attention(hidden).squeeze(-1).masked_fill(~keep, float("-inf"))
        weighted = (hidden * scores.softmax(dim=-1)[..., None]).sum(dim=1)
        summary = torch.cat([weighted, self._second(hidden, keep)], dim=-1)
        logits: Tensor = self.output(self.dropout(self.norm(summary)))
        return logits

    def _second(self, hidden: Tensor, keep: Tensor) -> Tensor:
        lengths = keep.sum(dim=1)
        if self.bidirectional:
            return (hidden * keep[..., None]).sum(dim=1) / lengths[:, None]
        return hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]


class TokenHead(nn.Module):
    """Tag logits of every position: tag 0 is "outside", then begin and inside of each label (BIO)."""

    def __init__(self, hidden: int, labels: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, 1 + 2 * labels)

    def forward(self, hidden: Tensor) -> Tensor:
        """hidden float32 [..., H] -> logits [..., 1 + 2 * labels]."""
        logits: Tensor = self.output(self.dropout(self.norm(hidden)))
        return logits


Head = PooledHead | TokenHead


def build_head(card: AdapterCard, hidden: int) -> Head | None:
    """The head that the card's task calls for, with fresh weights; None for chat."""
    if card.task == "classification":
        return PooledHead(hidden, len(card.labels), card.bidirectional)
    if card.task == "tagging":
        return TokenHead(hidden, len(card.labels))
    return None


def class_probabilities(logits: Tensor, multi_label: bool) -> Tensor:
    """Probabilities [B, classes]: independent when several labels may hold, else summing to one."""
    return logits.sigmoid() if multi_label else logits.softmax(dim=-1)
