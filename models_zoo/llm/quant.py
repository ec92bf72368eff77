"""Group-32 quantized matrices: the arithmetic of GGUF's Q4_1 and Q8_0 blocks, as plain tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

GROUP = 32


@dataclass(slots=True, frozen=True)
class Q4Matrix:
    """W [rows, columns] = scale * nibble + minimum, a scale and minimum per 32 columns (GGUF Q4_1).

    nibbles uint8 [rows, columns / 2]: in a group, byte j holds columns j (low half) and j + 16 (high half).
    scale, minimum float16 [rows, columns / 32].
    """

    nibbles: Tensor
    scale: Tensor
    minimum: Tensor

    @property
    def rows(self) -> int:
        return self.nibbles.shape[0]

    @property
    def columns(self) -> int:
        return self.nibbles.shape[1] * 2

    def codes(self) -> Tensor:
        """The 4-bit codes in column order, uint8 [rows, columns]."""
        grouped = self.nibbles.view(self.rows, -1, GROUP // 2)
        return torch.cat([grouped & 15, grouped >> 4], dim=-1).view(self.rows, self.columns)

    def dequantize(self) -> Tensor:
        """W as float32 [rows, columns]."""
        codes = self.codes().view(self.rows, -1, GROUP).float()
        return (codes * self.scale.float()[..., None] + self.minimum.float()[..., None]).view(self.rows, -1)


@dataclass(slots=True, frozen=True)
class Q8Matrix:
    """W [rows, columns] as value = scale * code, one scale per 32 columns (GGUF Q8_0).

    codes int8 [rows, columns]; scale float16 [rows, columns / 32].
    """

    codes: Tensor
    scale: Tensor

    def rows_at(self, index: Tensor) -> Tensor:
        """Rows `index` (any shape, int64) as float32 [..., columns]."""
        return _scaled(self.codes[index], self.scale[index])

    def dequantize(self) -> Tensor:
        """W as float32 [rows, columns]."""
        return _scaled(self.codes, self.scale)


def _scaled(codes: Tensor, scale: Tensor) -> Tensor:
    grouped = codes.view(*codes.shape[:-1], -1, GROUP).float() * scale.float()[..., None]
    return grouped.view(codes.shape)


def stack_rows(matrices: list[Q4Matrix]) -> Q4Matrix:
    """One matrix with the rows of all of them, in order: fused projections share one product."""
    if len(matrices) == 1:
        return matrices[0]
    return Q4Matrix(
        nibbles=torch.cat([matrix.nibbles for matrix in matrices]),
        scale=torch.cat([matrix.scale for matrix in matrices]),
        minimum=torch.cat([matrix.minimum for matrix in matrices]),
    )


def per_row_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric int8 codes [rows, columns] and float32 scale [rows] of a float32 matrix."""
    scale = weight.abs().amax(dim=1).clamp(min=1e-12) / 127
    return (weight / scale[:, None]).round().to(torch.int8), scale
