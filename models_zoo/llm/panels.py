"""Quantized matrices in the layout of our own CPU kernels: every weight once, in the order it is read."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from models_zoo.llm import native
from models_zoo.llm.card import BaseConfig
from models_zoo.llm.quant import GROUP, MixedMatrix, Q4Matrix, Q8Matrix, in_nibbles

LANES = 16  # rows of a panel
GROUP_BYTES = {4: 20, 8: 34}  # of 32 columns of a row, by bits


@dataclass(slots=True, frozen=True)
class Upper:
    """The upper four bits of the rows that have eight: panels, and int32 [rows of the matrix], which row of
    theirs belongs to a row, -1 for none."""

    panels: Tensor
    place: Tensor

    @property
    def rows(self) -> int:
        return -(-(int(self.place.max()) + 1) // LANES) * LANES


class PanelMatrix:
    """W [rows, columns] in panels of 16 rows (native/product.h), 4 or 8 bits a weight; with `upper`, 8 for
    some rows and 4 for the others.

    Products take their activations in 16 bits per group of 32 columns: as good as float32's.
    """

    def __init__(
        self, kernels: ctypes.CDLL, panels: Tensor, rows: int, columns: int, upper: Upper | None = None
    ) -> None:
        self.rows, self.columns = rows, columns
        self.panels = panels
        found = [
            bits for bits, size in GROUP_BYTES.items() if panels.numel() * GROUP == rows * columns * size
        ]
        if not found:
            raise ValueError(
                f"panels: {panels.numel()} bytes, which is no [{rows}, {columns}] of 4 or 8 bits"
            )
        self.struct = native.MatrixStruct(panels.data_ptr(), rows, columns, found[0], None, None)
        self._kernels, self._upper, self._fine = kernels, upper, None
        self._more: PanelMatrix | None = None
        if upper is not None:
            self._more = PanelMatrix(kernels, upper.panels, upper.rows, columns)
            self._fine = (upper.place >= 0).nonzero()[:, 0]
            self.struct.more = ctypes.addressof(self._more.struct)
            self.struct.place = upper.place.data_ptr()

    def __call__(self, x: Tensor) -> Tensor:
        product = native.multiply(self._kernels, self.struct, x)
        if self._more is not None and self._fine is not None:
            product[:, self._fine] += self._more(x)[:, : len(self._fine)]
        return product

    def dense(self) -> Tensor:
        return self.dense_in(torch.empty(self.rows * self.columns))

    def dense_in(self, scratch: Tensor) -> Tensor:
        """W in the first of `scratch`, contiguous float32 [rows * columns or more]."""
        out = scratch[: self.rows * self.columns].view(self.rows, self.columns)
        weight = native.dequantize(self._kernels, self.struct, out)
        if self._more is not None and self._fine is not None:
            weight[self._fine] += self._more.dense()[: len(self._fine)]
        return weight


def fits(config: BaseConfig) -> bool:
    """Whether the kernels can run a base of this shape."""
    heads, kv = config.heads * config.head_size, config.kv_heads * config.head_size
    rows = (heads, kv, config.hidden_size, config.intermediate_size, config.vocabulary)
    return all(count % LANES == 0 for count in rows) and config.head_size % GROUP == 0


def split_bits(matrix: MixedMatrix) -> tuple[Tensor, Upper]:
    """The panels of a matrix with rows of 4 and of 8 bits, as a sum that is exact: an 8-bit row is its lower four
    bits, with its scale, and its upper four, with 16 times that."""
    fine, high = matrix.fine, matrix.high
    codes = high.codes.view(torch.uint8) ^ 128
    nibbles = torch.empty(matrix.rows, matrix.columns // 2, dtype=torch.uint8)
    scale, minimum = (torch.empty(matrix.rows, high.scale.shape[1], dtype=torch.float16) for _ in range(2))
    for whole, low, lower in (
        (nibbles, matrix.low.nibbles, in_nibbles(codes & 15)),
        (scale, matrix.low.scale, high.scale),
        (minimum, matrix.low.minimum, high.scale * -128),
    ):
        whole[~fine], whole[fine] = low, lower
    upper = (in_nibbles(codes >> 4), high.scale * 16, torch.zeros_like(high.scale))
    filled = (F.pad(part, (0, 0, 0, -len(part) % LANES)) for part in upper)
    place = torch.where(fine, fine.cumsum(0) - 1, -1).int()
    return to_panels(Q4Matrix(nibbles, scale, minimum)), Upper(to_panels(Q4Matrix(*filled)), place)


def to_panels(matrix: Q4Matrix | Q8Matrix) -> Tensor:
    """uint8 [bytes]: per panel the codes of every group, then scales and minima of every group."""
    panels, groups = matrix.scale.shape[0] // LANES, matrix.scale.shape[1]
    affine = [matrix.scale, matrix.minimum] if isinstance(matrix, Q4Matrix) else [matrix.scale]
    by_group = [part.view(panels, LANES, groups).transpose(1, 2) for part in affine]
    ends = torch.stack(by_group, dim=2).contiguous().view(torch.uint8)
    # 8-bit codes: adds 128 to the signed one
    codes = matrix.nibbles if isinstance(matrix, Q4Matrix) else matrix.codes.view(torch.uint8) ^ 128
    fours = codes.view(panels, LANES, groups, -1, 4).permute(0, 2, 3, 1, 4)
    return torch.cat([fours.reshape(panels, -1), ends.view(panels, -1)], dim=1).flatten()
