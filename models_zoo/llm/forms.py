"""The forms that linears have on disk, and how torch computes with those for which it has no packed layout: its
int8 product for 8-bit rows beside its int4 product."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from models_zoo.llm.card import BaseCard
from models_zoo.llm.format import BaseFile
from models_zoo.llm.linear import BlockMatrix, Head, Matrix, to_blocks, to_int4pack
from models_zoo.llm.quant import Q4Matrix, Q8Matrix, QuantizedMatrix, per_row_int8, stack_rows

FUSED = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "output": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}


class MixedLinear:
    """Rows of two matrices in the order of one: `fine` bool [rows] says which are the 8-bit ones."""

    def __init__(self, fine: Tensor, low: Matrix, high: Matrix) -> None:
        self.rows, self.columns = len(fine), low.columns
        self._low, self._high = low, high
        # the low rows stand first in what both give together
        self._order = torch.where(fine, low.rows + fine.cumsum(0) - 1, (~fine).cumsum(0) - 1)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.cat([self._low(x), self._high(x)], dim=1)[:, self._order]

    def dense(self) -> Tensor:
        return torch.cat([self._low.dense(), self._high.dense()])[self._order]


def is_int4(card: BaseCard, file: BaseFile) -> bool:
    """Whether every product is int4, for which torch's products have a packed layout."""
    return all(
        f"layers.{layer}.{part}.nibbles" in file
        for layer in range(card.config.layers)
        for parts in FUSED.values()
        for part in parts
    )


def linears_of_any_form(file: BaseFile) -> tuple[Callable[[int, str], Matrix], Matrix]:
    """The linears by (layer, fused name), and the head, as the CPU computes with them; packed as they are
    asked for."""
    return lambda layer, name: linear(fused(file, layer, name)), _eight_bit(file.q8(head_name(file)))


def fused(file: BaseFile, layer: int, name: str) -> QuantizedMatrix:
    """The rows of all projections that share one product, in their form."""
    return stack_rows([file.matrix(f"layers.{layer}.{part}") for part in FUSED[name]])


def head_name(file: BaseFile) -> str:
    """`lm_head` when the base has its own, else the embedding it is tied to."""
    return "lm_head" if "lm_head.codes" in file else "embed_tokens"


def linear(matrix: QuantizedMatrix) -> Matrix:
    """What computes with `matrix` on CPU."""
    if isinstance(matrix, Q4Matrix):
        return _four_bit(matrix)
    if isinstance(matrix, Q8Matrix):
        return _eight_bit(matrix)
    if not matrix.high.rows:
        return _four_bit(matrix.low)
    if not matrix.low.rows:
        return _eight_bit(matrix.high)
    return MixedLinear(matrix.fine, _four_bit(matrix.low), _eight_bit(matrix.high))


def _four_bit(matrix: Q4Matrix) -> BlockMatrix:
    try:
        packed = to_int4pack(matrix)
    except (RuntimeError, AttributeError):  # no kernel, or not for this number of rows
        packed = None
    return BlockMatrix(to_blocks(matrix), packed)


def _eight_bit(matrix: Q8Matrix) -> Head:
    codes, scale = per_row_int8(matrix.dequantize())
    return Head(matrix, codes, scale.bfloat16())
