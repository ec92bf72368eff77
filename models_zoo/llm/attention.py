"""Who attends to whom: the only thing that differs between reading, generating and tagging.

Each attention is called by the decoder as `attend(layer, q, k, v)` with q [B, T, heads, D], k and v
[B, T, kv_heads, D], and returns [B, T, heads * D]. Grouped-query attention: Ainslie et al., 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models_zoo.llm.batch import Segment
from models_zoo.llm.card import BaseConfig
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
        parts = zip(*(x[0].split(self._lengths) for x in (q, k, v)), strict=True)
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
    groups = q.shape[2] // k.shape[2]
    out = F.scaled_dot_product_attention(
        q.transpose(1, 2),
        k.transpose(1, 2).repeat_interleave(groups, dim=1),
        v.transpose(1, 2).repeat_interleave(groups, dim=1),
        attn_mask=mask,
        is_causal=causal,
    )
    return out.transpose(1, 2).flatten(2)


class KeyValueCache:
    """Keys and values of running sequences: a fixed number of slots of a fixed length.

    Memory is layers * 2 * slots * kv_heads * length * head_size elements at most; on CPU a page is only taken
    when it is first written.
    """

    def __init__(
        self, config: BaseConfig, slots: int, length: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        shape = (config.layers, slots, config.kv_heads, length, config.head_size)
        self.keys = _zeros(shape, dtype, device)
        self.values = _zeros(shape, dtype, device)
        self.slots = slots
        self.length = length

    def move(self, source: int, target: int, tokens: int) -> None:
        """Copy the first `tokens` positions of slot `source` to `target`, so that running slots stay
        contiguous."""
        for cache in (self.keys, self.values):
            cache[:, target, :, :tokens] = cache[:, source, :, :tokens]


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Zeros, because what lies beyond a sequence's end is masked by weight 0, and 0 times NaN is NaN.

    On CPU they come from numpy, which leaves untouched pages to the system; torch would write them all.
    """
    if device.type != "cpu" or dtype != torch.float32:
        return torch.zeros(shape, dtype=dtype, device=device)
    return torch.from_numpy(np.zeros(shape, dtype=np.float32))


class PrefillAttention:
    """Causal attention over whole prompts, keeping their keys and values.

    Row b of the batch, right-padded, goes to slot `slots[b]`; only its first `lengths[b]` positions are kept.
    """

    def __init__(self, cache: KeyValueCache, slots: Sequence[int], lengths: Sequence[int]) -> None:
        self._cache = cache
        self._rows = list(zip(slots, lengths, strict=True))

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        for row, (slot, length) in enumerate(self._rows):
            self._cache.keys[layer, slot, :, :length] = k[row, :length].transpose(0, 1)
            self._cache.values[layer, slot, :, :length] = v[row, :length].transpose(0, 1)
        return _batched(q, k, v, mask=None, causal=True)


class DecodeAttention:
    """One new token for each of the sequences in slots 0 .. B - 1.

    positions: int64 [B], where the new token goes; it attends to everything up to itself.
    """

    def __init__(self, cache: KeyValueCache, positions: Tensor) -> None:
        self._cache = cache
        self._positions = positions
        self._slots = torch.arange(len(positions), device=positions.device)
        self._longest = int(positions.max()) + 1
        later = torch.arange(self._longest, device=positions.device) > positions[:, None]
        mask = torch.zeros(later.shape, dtype=cache.keys.dtype, device=positions.device)
        self._mask = mask.masked_fill_(later, float("-inf"))[:, None, None, :]

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        keys, values = self._cache.keys[layer], self._cache.values[layer]
        keys[self._slots, :, self._positions] = k[:, 0].to(keys.dtype)
        values[self._slots, :, self._positions] = v[:, 0].to(values.dtype)
        batch, _, heads, size = q.shape
        # the query heads that share a key head are its rows: no key is copied
        out = F.scaled_dot_product_attention(
            q.view(batch, keys.shape[1], heads // keys.shape[1], size).to(keys.dtype),
            keys[:batch, :, : self._longest],
            values[:batch, :, : self._longest],
            attn_mask=self._mask,
        )
        return out.view(batch, 1, heads * size)
