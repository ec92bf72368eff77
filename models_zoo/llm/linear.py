"""Frozen linear layers: quantized on CPU, dense on CUDA, behind one interface that training uses too."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from models_zoo.llm.quant import GROUP, Q4Matrix, Q8Matrix

# Below this many rows the int4 product is faster than dequantizing the layer for a float32 product (2 cores).
DEQUANTIZE_FROM_ROWS = 96
INT8_HEAD_BELOW_ROWS = 64

BLOCK_BYTES = GROUP // 2 + 4


class Matrix(Protocol):
    """A frozen W [rows, columns]."""

    rows: int
    columns: int

    def __call__(self, x: Tensor) -> Tensor:
        """x [M, columns] -> x W^T [M, rows], in the compute type."""
        ...

    def dense(self) -> Tensor:
        """W [rows, columns] in the compute type. May be a fresh scratch: keep it no longer than needed."""
        ...


class DenseMatrix:
    """A plain tensor in the compute type: CUDA, and unquantized bases."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight
        self.rows, self.columns = weight.shape

    def __call__(self, x: Tensor) -> Tensor:
        return x.to(self.weight.dtype) @ self.weight.t()

    def dense(self) -> Tensor:
        return self.weight


class BlockMatrix:
    """Group-32 int4 on CPU: packed for few rows, dequantized into one short-lived float32 scratch for many.

    blocks uint8 [rows, columns / 32, 20]: of each group 16 bytes of nibbles in column order, then its float16
    scale and minimum. packed: the int4 kernel's own layout and its bfloat16 (scale, zero)
    [columns / 32, rows, 2], or None when this processor or torch build lacks a working kernel; then every
    product dequantizes.
    """

    def __init__(self, blocks: Tensor, packed: tuple[Tensor, Tensor] | None) -> None:
        self.rows = blocks.shape[0]
        self.columns = blocks.shape[1] * GROUP
        self.blocks = blocks
        self.packed = packed

    def __call__(self, x: Tensor) -> Tensor:
        if self.packed is None or x.shape[0] >= DEQUANTIZE_FROM_ROWS:
            return x @ self.dense().t()
        # float32 input would take a path 30 to 60 times slower
        product = torch.ops.aten._weight_int4pack_mm_for_cpu(
            x.to(torch.bfloat16), self.packed[0], GROUP, self.packed[1]
        )
        return product.float()  # type: ignore[no-any-return]

    def dense(self) -> Tensor:
        return dequantize_blocks(self.blocks.flatten(0, 1)).view(self.rows, self.columns)


class Head:
    """The output layer [vocabulary, hidden] on CPU: per-row int8 for few rows, dequantized for many."""

    def __init__(self, source: Q8Matrix, codes: Tensor | None, scale: Tensor | None) -> None:
        self.source = source
        self.codes = codes
        self.scale = scale
        self.rows, self.columns = source.codes.shape

    def __call__(self, x: Tensor) -> Tensor:
        if self.codes is None or self.scale is None or x.shape[0] >= INT8_HEAD_BELOW_ROWS:
            return x @ self.dense().t()
        return torch._weight_int8pack_mm(x.to(torch.bfloat16), self.codes, self.scale).float()

    def dense(self) -> Tensor:
        return self.source.dequantize()


def to_blocks(matrix: Q4Matrix) -> Tensor:
    """The matrix in `BlockMatrix`'s block layout, which torch's 4-bit embedding kernel reads directly."""
    codes = matrix.codes().view(-1, GROUP)
    nibbles = codes[:, 0::2] | (codes[:, 1::2] << 4)
    affine = torch.stack([matrix.scale.flatten(), matrix.minimum.flatten()], dim=1).view(torch.uint8)
    return torch.cat([nibbles, affine], dim=1).view(matrix.rows, -1, BLOCK_BYTES)


def to_int4pack(matrix: Q4Matrix) -> tuple[Tensor, Tensor]:
    """The int4 kernel's layout (it depends on the processor) and (scale, zero), zero being minimum + 8
    scale."""
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(matrix.codes().int(), 1)
    scale, minimum = matrix.scale.float(), matrix.minimum.float()
    affine = torch.stack([scale, minimum + 8 * scale], dim=-1).transpose(0, 1)
    return packed, affine.contiguous().bfloat16()


def dequantize_blocks(blocks: Tensor) -> Tensor:
    """float32 [blocks, 32]. Exact either way; the embedding kernel is some 25 times faster than plain
    operations."""
    if not FAST_DEQUANTIZE:
        return _dequantize_plainly(blocks)
    index = torch.arange(blocks.shape[0] + 1, dtype=torch.int32)
    rows: Tensor = torch.ops.quantized.embedding_bag_4bit_rowwise_offsets(
        blocks, index[:-1], index, False, 0, False, None, None, True
    )
    return rows


def _dequantize_plainly(blocks: Tensor) -> Tensor:
    nibbles = blocks[:, : GROUP // 2]
    codes = torch.stack([nibbles & 15, nibbles >> 4], dim=-1).view(-1, GROUP).float()
    affine = blocks[:, GROUP // 2 :].contiguous().view(torch.float16).float()
    return codes.mul_(affine[:, :1]).add_(affine[:, 1:])


def _fast_dequantize_works() -> bool:
    """Whether this torch build has the 4-bit embedding kernel and it agrees with plain arithmetic."""
    nibbles = torch.arange(64, dtype=torch.uint8).view(4, 16) * 37
    affine = torch.tensor([[0.5, -1.0], [0.01, 2.0], [3.0, 0.0], [0.25, -4.0]], dtype=torch.float16)
    blocks = torch.cat([nibbles, affine.view(torch.uint8)], dim=1)
    index = torch.arange(5, dtype=torch.int32)
    try:
        rows = torch.ops.quantized.embedding_bag_4bit_rowwise_offsets(
            blocks, index[:-1], index, False, 0, False, None, None, True
        )
    except (RuntimeError, AttributeError):
        return False
    return bool(torch.equal(rows, _dequantize_plainly(blocks)))


FAST_DEQUANTIZE = _fast_dequantize_works()
