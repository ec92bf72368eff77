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

from models_zoo.llm.card import BaseConfig


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
