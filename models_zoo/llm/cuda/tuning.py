"""How products are cut, measured on an H200; by rule where nothing was measured. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

Kind = Literal["int4", "eight", "narrow"]  # bfloat16 times int4 or 8-bit codes; e4m3 times e4m3

LIBRARY_FROM_ROWS = 65  # int4: from here dequantizing and cuBLAS is faster
NARROW_BELOW_ROWS = 128
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
MEASURED: dict[tuple[Kind, int, int, int], Tile] = {
    ("int4", 16, 6144, 4096): Tile(16, 128, 128, 8, 4, 3),
    ("int4", 16, 4096, 4096): Tile(16, 128, 128, 4, 4, 3),
    ("int4", 16, 28672, 4096): Tile(16, 128, 128, 4, 4, 3),
    ("int4", 16, 4096, 14336): Tile(16, 128, 128, 8, 4, 3),
    ("int4", 64, 6144, 4096): Tile(64, 128, 64, 4, 4, 4),
    ("int4", 64, 4096, 4096): Tile(64, 128, 64, 4, 4, 4),
    ("int4", 64, 28672, 4096): Tile(64, 128, 64, 2, 4, 4),
    ("int4", 64, 4096, 14336): Tile(64, 128, 64, 8, 4, 4),
    ("narrow", 16, 6144, 4096): Tile(16, 64, 256, 4, 4, 3),
    ("narrow", 16, 4096, 4096): Tile(16, 64, 128, 4, 4, 5),
    ("narrow", 16, 28672, 4096): Tile(16, 128, 256, 1, 4, 3),
    ("narrow", 16, 4096, 14336): Tile(16, 64, 256, 2, 4, 5),
    ("narrow", 16, 128256, 4096): Tile(16, 128, 256, 1, 4, 3),
    ("narrow", 32, 6144, 4096): Tile(32, 64, 128, 4, 4, 3),
    ("narrow", 32, 4096, 4096): Tile(32, 64, 256, 2, 4, 5),
    ("narrow", 32, 28672, 4096): Tile(32, 128, 128, 1, 4, 3),
    ("narrow", 32, 4096, 14336): Tile(32, 64, 256, 2, 4, 5),
    ("narrow", 32, 128256, 4096): Tile(32, 128, 128, 1, 4, 3),
    ("narrow", 64, 6144, 4096): Tile(64, 64, 128, 2, 4, 5),
    ("narrow", 64, 4096, 4096): Tile(64, 64, 128, 4, 4, 5),
    ("narrow", 64, 28672, 4096): Tile(64, 128, 128, 1, 4, 3),
    ("narrow", 64, 4096, 14336): Tile(64, 64, 128, 4, 4, 5),
    ("narrow", 64, 128256, 4096): Tile(64, 128, 128, 1, 4, 3),
    ("narrow", 128, 6144, 4096): Tile(128, 64, 128, 1, 4, 5),
    ("narrow", 128, 4096, 4096): Tile(128, 64, 128, 2, 4, 5),
    ("narrow", 128, 28672, 4096): Tile(128, 128, 128, 1, 4, 3),
    ("narrow", 128, 4096, 14336): Tile(128, 128, 128, 4, 4, 5),
    ("narrow", 128, 128256, 4096): Tile(128, 128, 128, 1, 4, 3),
    ("narrow", 256, 4096, 4096): Tile(128, 64, 128, 1, 4, 5),
    ("narrow", 256, 4096, 14336): Tile(128, 128, 128, 2, 4, 5),
    ("eight", 16, 128256, 4096): Tile(16, 64, 128, 1, 4, 3),
    ("eight", 64, 128256, 4096): Tile(64, 64, 128, 1, 4, 3),
}


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
def narrow_tile(rows: int, n: int, k: int) -> Tile | None:
    """The same for e4m3 times e4m3; None where cuBLAS is faster."""
    if rows > NARROW_BELOW_ROWS:
        return MEASURED.get(("narrow", 256, n, k)) if rows <= 256 else None
    bucket = next(size for size in (16, 32, 64, 128) if rows <= size)
    return MEASURED.get(("narrow", bucket, n, k)) or _by_rule(bucket, n, k)
