"""Who attends to whom: the only thing that differs between reading, generating and tagging.

Each attention is called by the decoder as `attend(layer, q, k, v)` with q [B, T, heads, D], k and v
[B, T, kv_heads, D], and returns [B, T, heads * D]. Grouped-query attention: Ainslie et al., 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from models_zoo.llm.batch import Segment
from models_zoo.llm.paged import PagedCache


class Attention(Protocol):
    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor: ...


class CausalAttention:
    """Each position sees itself and what came before. Padding belongs at the right end, where none looks."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return _batched(q, k, v, mask=None, causal=q.shape[1] > 1)


class BidirectionalAttention:
    """Each position sees all positions of its own text.

    keep: bool [B, T], False at padding.
    """

    def __init__(self, keep: Tensor, dtype: torch.dtype) -> None:
        blocked = torch.zeros(keep.shape, dtype=dtype, device=keep.device).masked_fill_(~keep, float("-inf"))
        self._mask = blocked[:, None, None, :].expand(-1, 1, keep.shape[1], -1)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return _batched(q, k, v, mask=self._mask, causal=False)


class DocumentAttention:
    """Each position sees its own document in a row of several: all of it, or causally itself and what came before.

    documents: int64 [B, T], -1 at padding, which sees only padding.
    """

    def __init__(self, documents: Tensor, bidirectional: bool) -> None:
        same = documents[:, :, None] == documents[:, None, :]
        self._mask = (same if bidirectional else same.tril())[:, None]

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return _batched(q, k, v, mask=self._mask, causal=False)


class GrowingAttention:
    """One sequence, B = 1, that is read first and then grows a position at a time: it remembers keys and values."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Tensor, Tensor]] = {}

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if layer in self._seen:
            before = self._seen[layer]
            k, v = torch.cat([before[0], k], dim=1), torch.cat([before[1], v], dim=1)
        self._seen[layer] = k, v
        return _batched(q, k, v, mask=None, causal=q.shape[1] > 1)


class RaggedAttention:
    """Each segment of a batch laid end to end, q [1, rows, heads, D], attends within its own sequence: to
    itself, and to what the cache holds before it."""

    def __init__(self, segments: Sequence[Segment], cache: PagedCache | None, device: torch.device) -> None:
        self._cache = cache
        self._segments = segments
        self._lengths = [len(segment.tokens) for segment in segments]
        self._tables = [
            None if segment.blocks is None else torch.tensor(list(segment.blocks), device=device)
            for segment in segments
        ]

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        parts = zip(*(torch.split(x[0], self._lengths) for x in (q, k, v)), strict=True)
        mixed = [
            self._attend(layer, segment, table, *part)
            for segment, table, part in zip(self._segments, self._tables, parts, strict=True)
        ]
        return torch.cat(mixed)[None]

    def _attend(
        self, layer: int, segment: Segment, table: Tensor | None, q: Tensor, k: Tensor, v: Tensor
    ) -> Tensor:
        if table is None:
            return _batched(q[None], k[None], v[None], mask=None, causal=not segment.bidirectional)[0]
        if self._cache is None:
            raise ValueError("segment.blocks is a block table, expected None without a cache")
        stop = segment.start + len(q)
        self._cache.write(layer, table, segment.start, k, v)
        keys, values = (x.to(q.dtype) for x in self._cache.read(layer, table, stop))
        seen = (
            torch.arange(stop, device=q.device) <= torch.arange(segment.start, stop, device=q.device)[:, None]
        )
        return _batched(q[None], keys[None], values[None], mask=seen, causal=False)[0]


def _batched(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    groups = q.shape[1] // k.shape[1]
    if groups > 1 and not q.is_cuda:  # where it has no kernel that shares keys between heads
        k, v = (x.repeat_interleave(groups, dim=1) for x in (k, v))
    shared = q.shape[1] != k.shape[1]
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=shared)
    return out.transpose(1, 2).flatten(2)
