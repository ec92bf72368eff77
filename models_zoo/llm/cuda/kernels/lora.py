"""Many adapters in one batch: LoRA (Hu et al., 2021) over a stacked pool, grouped as in Punica (Chen et al., 2023).

A tile is a run of up to TILE consecutive rows of one slot; tiles cover all rows, those of slot 0 too. `tiles`
int32 [3, T] holds slot, first row and row count; a tile of count 0 is skipped, so that one launch, and one graph,
serves any assignment that fits T tiles. The pool keeps A as [slots, K, P * R] and B as [slots, R, N] for P fused
parts of padded rank R, as strided views of one tensor; slot s is at index s - 1.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit(do_not_specialize=["M"])
def _shrink(
    x, a, out, tiles, T, M, K, per, stride,
    RANK: tl.constexpr, PARTS: tl.constexpr, BK: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    tile, split, part = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    slot = tl.load(tiles + tile)
    count = tl.load(tiles + 2 * T + tile)
    if (slot > 0) & (count > 0):
        index = tl.arange(0, TILE)
        row = (tl.load(tiles + T + tile) + index).to(tl.int64)
        mine = (index < count)[:, None]
        k, r = tl.arange(0, BK), tl.arange(0, RANK)
        xs = x + row[:, None] * K + k[None, :]
        ws = a + (slot - 1).to(tl.int64) * stride + k[:, None] * (PARTS * RANK) + part * RANK + r[None, :]
        sum_ = tl.zeros([TILE, RANK], tl.float32)
        for start in range(split * per, split * per + per, BK):
            inside = start + k < K
            left = tl.load(xs + start, mask=mine & inside[None, :], other=0.0)
            right = tl.load(ws + start * (PARTS * RANK), mask=inside[:, None], other=0.0)
            sum_ = tl.dot(left, right, sum_)
        target = out + (split * M + row[:, None]) * (PARTS * RANK) + part * RANK + r[None, :]
        tl.store(target, sum_, mask=mine)


def shrink(x: Tensor, a: Tensor, tiles: Tensor, parts: int, splits: int, tile: int) -> Tensor:
    """x bfloat16 [M, K], a [slots, K, parts * R] -> x A^T in `splits` pieces, float32 [splits, M, parts * R].

    Rows of slot 0 are left unwritten. Reference: `shrink_plain`.
    """
    rows, columns = x.shape
    rank = a.shape[2] // parts
    block = 128
    per = triton.cdiv(triton.cdiv(columns, splits), block) * block
    out = torch.empty(splits, rows, parts * rank, dtype=torch.float32, device=x.device)
    _shrink[(tiles.shape[1], splits, parts)](
        x, a, out, tiles, tiles.shape[1], rows, columns, per, a.stride(0), rank, parts, block, tile,
        num_warps=4, num_stages=4,
    )  # fmt: skip
    return out


def shrink_plain(x: Tensor, a: Tensor, slots: Tensor) -> Tensor:
    """float32 [M, parts * R], zero where the slot is 0; slots int [M]."""
    out = torch.zeros(len(x), a.shape[2], device=x.device)
    for row in slots.nonzero()[:, 0].tolist():
        out[row] = x[row].float() @ a[slots[row] - 1].float()
    return out


@triton.jit
def lora_columns(
    shrunk, expand, slot, row, column, part, M, N, stride, mine,
    SHRUNK: tl.constexpr, RANK: tl.constexpr, PARTS: tl.constexpr,
):  # fmt: skip
    """What an adapter adds at (row, column), float32 [TILE, columns], for columns of one part within N."""
    r = tl.arange(0, RANK)
    factor = tl.zeros([row.shape[0], RANK], tl.float32)
    for piece in tl.static_range(SHRUNK):
        source = shrunk + (piece * M + row[:, None]) * (PARTS * RANK) + part * RANK + r[None, :]
        factor += tl.load(source, mask=mine[:, None], other=0.0)
    b = expand + (slot - 1).to(tl.int64) * stride + r[:, None] * N + column[None, :]
    right = tl.load(b, mask=(column < N)[None, :], other=0.0)
    return tl.dot(factor.to(right.dtype), right)


@triton.jit(do_not_specialize=["M"])
def _expand_add(
    y, shrunk, expand, tiles, T, M, N, stride,
    SHRUNK: tl.constexpr, RANK: tl.constexpr, BN: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    tile = tl.program_id(0)
    slot = tl.load(tiles + tile)
    count = tl.load(tiles + 2 * T + tile)
    if (slot > 0) & (count > 0):
        index = tl.arange(0, TILE)
        row = (tl.load(tiles + T + tile) + index).to(tl.int64)
        column = tl.program_id(1) * BN + tl.arange(0, BN)
        mine = index < count
        place = y + row[:, None] * N + column[None, :]
        inside = mine[:, None] & (column < N)[None, :]
        old = tl.load(place, mask=inside, other=0.0).to(tl.float32)
        new = old + lora_columns(shrunk, expand, slot, row, column, 0, M, N, stride, mine, SHRUNK, RANK, 1)
        tl.store(place, new.to(y.dtype.element_ty), mask=inside)


def expand_add(y: Tensor, shrunk: Tensor, b: Tensor, tiles: Tensor, tile: int) -> None:
    """y [M, N] += shrunk [S, M, R] summed over S, times b [slots, R, N] of each row's slot; for many rows.

    Reference: `expand_plain`.
    """
    rows, columns = y.shape
    _expand_add[(tiles.shape[1], triton.cdiv(columns, 128))](
        y, shrunk, b, tiles, tiles.shape[1], rows, columns, b.stride(0), shrunk.shape[0], shrunk.shape[2],
        128, tile,
    )  # fmt: skip


def expand_plain(shrunk: Tensor, b: Tensor, slots: Tensor, ends: list[int]) -> Tensor:
    """float32 [M, N]; `ends` are the last columns, exclusive, of each part."""
    rank = b.shape[1]
    out = torch.zeros(shrunk.shape[1], b.shape[2], device=b.device)
    for row in slots.nonzero()[:, 0].tolist():
        start = 0
        for part, end in enumerate(ends):
            factor = shrunk[:, row].sum(0)[part * rank : (part + 1) * rank]
            out[row, start:end] = factor @ b[slots[row] - 1, :, start:end].float()
            start = end
    return out
