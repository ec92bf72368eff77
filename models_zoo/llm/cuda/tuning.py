"""How products are cut, measured on an H200; by rule where nothing was measured. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

Kind = Literal["int4", "eight", "narrow"]  # bfloat16 times int4 or 8-bit codes; e4m3 times e4m3

FEW_ROWS = 4  # up to here int4 runs without matrix units
LIBRARY_FROM_ROWS = {"int4": 65, "fp8": 17}  # from here: dequantized, or e4m3 activations
PROGRAMS = 264  # two for each multiprocessor


@dataclass(slots=True, frozen=True)
class Tile:
    """How a product is cut: rows, output columns and inner columns of a block, pieces of the inner dimension."""

    rows: int
    columns: int
    inner: int
    splits: int
    warps: int = 4
    stages: int = 4


# (kind, rows up to, N, K) -> tile
MEASURED: dict[tuple[Kind, int, int, int], Tile] = {}
# (N, K) -> output columns, groups of 32 and warps of a block, for up to FEW_ROWS rows of int4
MEASURED_FEW: dict[tuple[int, int], tuple[int, int, int]] = {}


@cache
def tile(kind: Kind, rows: int, n: int, k: int) -> Tile:
    """For x [rows, K] times W^T, W [N, K]; its inner columns divide K."""
    bucket = next((size for size in (16, 32, 64) if rows <= size), 64)
    return MEASURED.get((kind, bucket, n, k)) or _by_rule(bucket, n, k)


def _by_rule(rows: int, n: int, k: int) -> Tile:
    columns = 128 if n >= 2048 else 64
    inner = next(size for size in (128, 64, 32) if k % size == 0)
    splits = 1
    while splits < 8 and -(-n // columns) * splits * 2 <= PROGRAMS and k // inner >= splits * 4:
        splits *= 2
    return Tile(rows, columns, inner, splits)


@cache
def few_tile(n: int, k: int) -> tuple[int, int, int]:
    """Output columns, groups of 32 and warps of a block."""
    if (n, k) in MEASURED_FEW:
        return MEASURED_FEW[n, k]
    groups = next((size for size in (128, 64) if k // 32 % size == 0), 32)
    return 8, groups, groups // 32
