"""One attention module with three kinds: dense, sliding window with global tokens, top-k sparse."""

from __future__ import annotations

import torch
from torch import Tensor, nn

KINDS = ("dense", "window", "topk")


class Attention(nn.Module):
    """Multi-head self-attention [B, L, width] -> [B, L, width] over the tokens that are `there`, bool [B, L].

    kind "dense": every token sees every token. "window": tokens at most `reach` apart see each other, the last
    `tokens` ones see and are seen by all (Beltagy et al. 2020, Longformer, arXiv:2004.05150). "topk": each token sees
    the `reach` tokens that it attends to most (Zhao et al. 2019, arXiv:1912.11637). With a reach of the length or
    more all three are the same. Raises ValueError for another kind.
    """

    def __init__(
        self, width: int, heads: int = 4, kind: str = "dense", reach: int = 8, tokens: int = 1
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"attention is one of {', '.join(KINDS)}, not {kind}")
        self.heads, self.kind, self.reach, self.tokens = heads, kind, reach, tokens
        self.into = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, given: Tensor, there: Tensor) -> Tensor:
        size, length, width = given.shape
        query, key, value = (
            self.into(given).view(size, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        )
        allowed = there[:, None, None, :]
        if self.kind == "window":
            allowed = allowed & self._near(length, given.device)
        if self.kind == "topk":
            allowed = allowed & self._most(query, key, there)
        found = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        mixed: Tensor = self.out(found.transpose(1, 2).flatten(2))
        return mixed

    def _near(self, length: int, device: torch.device) -> Tensor:
        place = torch.arange(length, device=device)
        near = (place[:, None] - place[None]).abs() <= self.reach
        everywhere = place >= length - self.tokens
        return near | everywhere[:, None] | everywhere[None]

    def _most(self, query: Tensor, key: Tensor, there: Tensor) -> Tensor:
        scores = query @ key.transpose(-1, -2)
        scores = scores.masked_fill(~there[:, None, None, :], -torch.inf)
        least = scores.topk(min(self.reach, scores.shape[-1]), dim=-1).values[..., -1:]
        return scores >= least
