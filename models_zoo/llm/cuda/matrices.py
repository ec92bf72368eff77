"""Frozen linears in their resident forms on CUDA, each choosing its kernel by the number of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor

from models_zoo.llm.cuda.kernels import eight, int4
from models_zoo.llm.cuda.kernels.rows import quantize
from models_zoo.llm.cuda.policy import CudaForm
from models_zoo.llm.cuda.tuning import LIBRARY_FROM_ROWS, narrow_tile, tile
from models_zoo.llm.linear import Matrix
from models_zoo.llm.quant import Q4Matrix

Narrow = tuple[Tensor, Tensor]  # e4m3 codes and their units, see `rows.quantize`


class CudaMatrix(Matrix, Protocol):
    """A `Matrix` whose product may come in pieces, which the kernel after it sums."""

    def narrow(self, rows: int) -> bool:
        """Whether so many rows are wanted in e4m3 besides bfloat16."""
        ...

    def pieces(self, x: Tensor, narrow: Narrow | None = None) -> Tensor:
        """x bfloat16 [M, columns] -> x W^T, [pieces, M, rows]."""
        ...


class _Pieces(ABC):
    """What the forms share."""

    rows: int
    columns: int

    def narrow(self, rows: int) -> bool:
        return False

    @abstractmethod
    def pieces(self, x: Tensor, narrow: Narrow | None = None) -> Tensor: ...

    def __call__(self, x: Tensor) -> Tensor:
        x = x.to(torch.bfloat16)
        pieces = self.pieces(x, quantize(x) if self.narrow(len(x)) else None)
        return pieces[0] if len(pieces) == 1 else pieces.sum(0)


class Int4Matrix(_Pieces):
    """Nibbles as in the file, uint8 [rows, columns / 2], and affine int32 [rows, columns / 32] (see `int4`)."""

    def __init__(self, nibbles: Tensor, affine: Tensor) -> None:
        self.nibbles, self.affine = nibbles, affine
        self.rows, self.columns = nibbles.shape[0], nibbles.shape[1] * 2

    @classmethod
    def of(cls, matrix: Q4Matrix, device: torch.device) -> Int4Matrix:
        """The matrix in this form on `device`."""
        return cls(matrix.nibbles.to(device), int4.to_affine(matrix.scale, matrix.minimum).to(device))

    def pieces(self, x: Tensor, narrow: Narrow | None = None) -> Tensor:
        if len(x) >= LIBRARY_FROM_ROWS:
            return torch.mm(x, self.dense().t())[None]
        return int4.product(x, self.nibbles, self.affine, tile("int4", len(x), self.rows, self.columns))

    def dense(self) -> Tensor:
        out = torch.empty(self.rows, self.columns, dtype=torch.bfloat16, device=self.nibbles.device)
        return int4.dequantize(self.nibbles, self.affine, out)


class EightBitMatrix(_Pieces):
    """codes e4m3 or int8 [rows, columns], unit float32 [rows]. Activations for e4m3 codes are e4m3 too."""

    def __init__(self, codes: Tensor, unit: Tensor) -> None:
        self.codes, self.unit = codes, unit
        self.rows, self.columns = codes.shape
        self._fp8 = codes.dtype == torch.float8_e4m3fn and self.rows % 16 == 0

    def narrow(self, rows: int) -> bool:
        return self._fp8

    def pieces(self, x: Tensor, narrow: Narrow | None = None) -> Tensor:
        if narrow is None:
            return eight.product(x, self.codes, self.unit, tile("eight", len(x), self.rows, self.columns))
        cut = narrow_tile(len(x), self.rows, self.columns)
        if cut is None:
            return eight.library_product(narrow, self.codes, self.unit)
        return eight.product(narrow[0], self.codes, self.unit, cut, narrow[1])

    def dense(self) -> Tensor:
        return eight.dequantize(self.codes, self.unit)


class BFloat16Matrix(_Pieces):
    """weight bfloat16 [rows, columns], on cuBLAS."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight
        self.rows, self.columns = weight.shape

    def pieces(self, x: Tensor, narrow: Narrow | None = None) -> Tensor:
        return torch.mm(x, self.weight.t())[None]

    def dense(self) -> Tensor:
        return self.weight


def form_of(linears: Iterable[Matrix]) -> CudaForm:
    """The resident form of a base: int4 and fp8 may hold some of its linears in bfloat16."""
    kinds = {type(linear) for linear in linears}
    return "int4" if Int4Matrix in kinds else "fp8" if EightBitMatrix in kinds else "bfloat16"
