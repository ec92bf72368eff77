"""Quantized matrices in the layout of our own CPU kernels: every weight once, in the order it is read."""

from __future__ import annotations

import ctypes

import torch
import torch.nn.functional as F
from torch import Tensor

from models_zoo.llm import native
from models_zoo.llm.card import BaseConfig
from models_zoo.llm.quant import GROUP, Q4Matrix, Q8Matrix

LANES = 16  # rows of a panel
GROUP_BYTES = {4: 20, 8: 34}  # of 32 columns of a row, by bits


class PanelMatrix:
    """W [rows, columns] in panels of 16 rows (native/product.h), 4 or 8 bits a weight.

    Products take their activations in 16 bits per group of 32 columns: as good as float32's.
    """

    def __init__(self, kernels: ctypes.CDLL, panels: Tensor, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.panels = panels
        found = [
            bits for bits, size in GROUP_BYTES.items() if panels.numel() * GROUP == rows * columns * size
        ]
        if not found:
            raise ValueError(
                f"panels: {panels.numel()} bytes, which is no [{rows}, {columns}] of 4 or 8 bits"
            )
        self.struct = native.MatrixStruct(panels.data_ptr(), rows, columns, found[0])
        self._kernels = kernels

    def __call__(self, x: Tensor) -> Tensor:
        return native.multiply(self._kernels, self.struct, x)

    def dense(self) -> Tensor:
        return native.dequantize(self._kernels, self.struct)


def fits(config: BaseConfig) -> bool:
    """Whether the kernels can run a base of this shape."""
    heads, kv = config.heads * config.head_size, config.kv_heads * config.head_size
    rows = (heads, kv, config.hidden_size, config.intermediate_size, config.vocabulary)
    return all(count % LANES == 0 for count in rows) and config.head_size % GROUP == 0


def filled_rows(rows: int) -> int:
    """Rows of the panels that so many rows fill or begin."""
    return -(-rows // LANES) * LANES


def filled(matrix: Q4Matrix | Q8Matrix) -> Q4Matrix | Q8Matrix:
    """The matrix with rows of zeros behind its own, to whole panels."""
    missing = filled_rows(matrix.rows) - matrix.rows
    parts = [F.pad(part, (0, 0, 0, missing)) for part in matrix.tensors().values()]
    return Q4Matrix(*parts) if isinstance(matrix, Q4Matrix) else Q8Matrix(*parts)


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
