"""Keys and values of running sequences in blocks (PagedAttention, Kwon et al., 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from models_zoo.llm.card import BaseConfig


def bytes_per_block(config: BaseConfig, block_size: int, dtype: torch.dtype = torch.bfloat16) -> int:
    """What `block_size` tokens take, over all layers."""
    return 2 * config.layers * config.kv_heads * config.head_size * block_size * dtype.itemsize


class PagedCache:
    """`blocks` blocks of `block_size` tokens; a sequence is a list of block numbers, its block table.

    data [blocks, layers, 2, kv_heads * head_size * block_size]: a block is contiguous, so it is copied, and
    taken from the system, as a whole. In it keys are [kv_heads, head_size, block_size], so that one query is
    multiplied with many positions at once, and values [kv_heads, block_size, head_size].
    """

    def __init__(
        self,
        config: BaseConfig,
        blocks: int,
        block_size: int,
        device: torch.device,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        heads, size = config.kv_heads, config.head_size
        self.blocks = blocks
        self.block_size = block_size
        self.block_bytes = bytes_per_block(config, block_size, dtype)
        self.data = _zeros((blocks, config.layers, 2, heads * size * block_size), dtype, device)
        self._keys = _split_last(self.data[:, :, 0], heads, size, block_size)
        self._values = _split_last(self.data[:, :, 1], heads, block_size, size)

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy whole blocks, each pair a source and a target."""
        for source, target in pairs:
            self.data[target].copy_(self.data[source])

    def write(self, layer: int, table: Tensor, start: int, k: Tensor, v: Tensor) -> None:
        """Put k and v [T, kv_heads, head_size] at positions `start` on of the sequence with this table."""
        positions = torch.arange(start, start + len(k), device=k.device)
        block, offset = table[positions // self.block_size], positions % self.block_size
        self._keys[block, layer, :, :, offset] = k.to(self.data.dtype)
        self._values[block, layer, :, offset] = v.to(self.data.dtype)

    def read(self, layer: int, table: Tensor, stop: int) -> tuple[Tensor, Tensor]:
        """Keys and values [stop, kv_heads, head_size] of positions 0 .. stop - 1."""
        used = table[: -(-stop // self.block_size)]
        keys = self._keys[used, layer].permute(0, 3, 1, 2).flatten(0, 1)
        values = self._values[used, layer].transpose(1, 2).flatten(0, 1)
        return keys[:stop], values[:stop]


def _split_last(x: Tensor, *sizes: int) -> Tensor:
    return x.view(*x.shape[:-1], *sizes)


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Zeros, because what lies beyond a sequence's end is masked by weight 0, and 0 times NaN is NaN.

    On CPU they come from numpy, which leaves untouched pages to the system; torch would write them all.
    """
    if device.type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    width = shape[-1] * dtype.itemsize
    return torch.from_numpy(np.zeros((*shape[:-1], width), dtype=np.uint8)).view(dtype)
