"""Group-32 quantized matrices as plain tensors: GGUF's Q4_1 and Q8_0 blocks, and rows of both in one matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

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
        grouped = self.nibbles.view(self.rows, self.columns // GROUP, GROUP // 2)
        return torch.cat([grouped & 15, grouped >> 4], dim=-1).view(self.rows, self.columns)

    def dequantize(self) -> Tensor:
        """W as float32 [rows, columns]."""
        codes = self.codes().view(self.rows, self.columns // GROUP, GROUP).float()
        return (codes * self.scale.float()[..., None] + self.minimum.float()[..., None]).flatten(1)

    def tensors(self) -> dict[str, Tensor]:
        """What is stored, by the end of its name."""
        return {"nibbles": self.nibbles, "scale": self.scale, "minimum": self.minimum}


@dataclass(slots=True, frozen=True)
class Q8Matrix:
    """W [rows, columns] as value = scale * code, one scale per 32 columns (GGUF Q8_0).

    codes int8 [rows, columns]; scale float16 [rows, columns / 32].
    """

    codes: Tensor
    scale: Tensor

    @property
    def rows(self) -> int:
        return self.codes.shape[0]

    @property
    def columns(self) -> int:
        return self.codes.shape[1]

    def rows_at(self, index: Tensor) -> Tensor:
        """Rows `index` (any shape, int64) as float32 [..., columns]."""
        return _scaled(self.codes[index], self.scale[index])

    def dequantize(self) -> Tensor:
        """W as float32 [rows, columns]."""
        return _scaled(self.codes, self.scale)

    def tensors(self) -> dict[str, Tensor]:
        """What is stored, by the end of its name."""
        return {"codes": self.codes, "scale": self.scale}


@dataclass(slots=True, frozen=True)
class MixedMatrix:
    """Some rows in 8 bits, the rest in 4: `fine` bool [rows] says which, in the order of the matrix.

    high: the rows where `fine` is true, in order; low: the others.
    """

    fine: Tensor
    low: Q4Matrix
    high: Q8Matrix

    @property
    def rows(self) -> int:
        return self.fine.shape[0]

    @property
    def columns(self) -> int:
        return self.low.columns

    def dequantize(self) -> Tensor:
        """W as float32 [rows, columns]."""
        weight = torch.empty(self.rows, self.columns)
        weight[self.fine] = self.high.dequantize()
        weight[~self.fine] = self.low.dequantize()
        return weight

    def tensors(self) -> dict[str, Tensor]:
        """What is stored, by the end of its name."""
        low = {f"low.{name}": tensor for name, tensor in self.low.tensors().items()}
        high = {f"high.{name}": tensor for name, tensor in self.high.tensors().items()}
        return {"fine": self.fine, **low, **high}


QuantizedMatrix = Q4Matrix | Q8Matrix | MixedMatrix


def in_nibbles(codes: Tensor) -> Tensor:
    """Codes below 16, uint8 [rows, columns], as `Q4Matrix.nibbles`."""
    first, second = codes.view(len(codes), -1, 2, GROUP // 2).unbind(dim=2)
    return (first | second << 4).flatten(1)


def _scaled(codes: Tensor, scale: Tensor) -> Tensor:
    grouped = (
        codes.view(*codes.shape[:-1], codes.shape[-1] // GROUP, GROUP).float() * scale.float()[..., None]
    )
    return grouped.view(codes.shape)


@overload
def stack_rows(matrices: Sequence[Q4Matrix]) -> Q4Matrix: ...
@overload
def stack_rows(matrices: Sequence[QuantizedMatrix]) -> QuantizedMatrix: ...
def stack_rows(matrices: Sequence[QuantizedMatrix]) -> QuantizedMatrix:
    """One matrix with the rows of all of them, in order: fused projections share one product.

    Matrices of one form keep it; of several, they become a mixed one.
    """
    if len(matrices) == 1:
        return matrices[0]
    low = [m for m in matrices if isinstance(m, Q4Matrix)]
    high = [m for m in matrices if isinstance(m, Q8Matrix)]
    if len(low) == len(matrices):
        return stack_q4(low)
    if len(high) == len(matrices):
        return stack_q8(high)
    parts = [_as_mixed(matrix) for matrix in matrices]
    return MixedMatrix(
        fine=torch.cat([part.fine for part in parts]),
        low=stack_q4([part.low for part in parts]),
        high=stack_q8([part.high for part in parts]),
    )


def stack_q4(matrices: Sequence[Q4Matrix]) -> Q4Matrix:
    """The rows of all, in order."""
    return Q4Matrix(
        nibbles=torch.cat([matrix.nibbles for matrix in matrices]),
        scale=torch.cat([matrix.scale for matrix in matrices]),
        minimum=torch.cat([matrix.minimum for matrix in matrices]),
    )


def stack_q8(matrices: Sequence[Q8Matrix]) -> Q8Matrix:
    """The rows of all, in order."""
    return Q8Matrix(
        codes=torch.cat([matrix.codes for matrix in matrices]),
        scale=torch.cat([matrix.scale for matrix in matrices]),
    )


def _as_mixed(matrix: QuantizedMatrix) -> MixedMatrix:
    if isinstance(matrix, MixedMatrix):
        return matrix
    groups = matrix.columns // GROUP
    affine = torch.empty(0, groups, dtype=torch.float16)
    if isinstance(matrix, Q4Matrix):
        none = Q8Matrix(torch.empty(0, matrix.columns, dtype=torch.int8), affine)
        return MixedMatrix(torch.zeros(matrix.rows, dtype=torch.bool), matrix, none)
    nothing = Q4Matrix(torch.empty(0, matrix.columns // 2, dtype=torch.uint8), affine, affine)
    return MixedMatrix(torch.ones(matrix.rows, dtype=torch.bool), nothing, matrix)


def per_row_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric int8 codes [rows, columns] and float32 scale [rows] of a float32 matrix."""
    scale = weight.abs().amax(dim=1).clamp(min=1e-12) / 127
    return (weight / scale[:, None]).round().to(torch.int8), scale
