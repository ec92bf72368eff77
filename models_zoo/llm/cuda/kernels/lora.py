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
    x, a, out, tiles, T, M, K, per, stride, R, RP: tl.constexpr, BK: tl.constexpr, TILE: tl.constexpr
):  # fmt: skip
    tile, split = tl.program_id(0), tl.program_id(1)
    slot = tl.load(tiles + tile)
    count = tl.load(tiles + 2 * T + tile)
    if (slot > 0) & (count > 0):
        index = tl.arange(0, TILE)
        row = (tl.load(tiles + T + tile) + index).to(tl.int64)
        mine = (index < count)[:, None]
        k, r = tl.arange(0, BK), tl.arange(0, RP)
        xs = x + row[:, None] * K + k[None, :]
        ws = a + (slot - 1).to(tl.int64) * stride + k[:, None] * R + r[None, :]
        sum_ = tl.zeros([TILE, RP], tl.float32)
        for start in range(split * per, split * per + per, BK):
            inside = start + k < K
            left = tl.load(xs + start, mask=mine & inside[None, :], other=0.0)
            right = tl.load(ws + start * R, mask=inside[:, None] & (r < R)[None, :], other=0.0)
            sum_ = tl.dot(left, right, sum_)
        target = out + (split * M + row[:, None]) * R + r[None, :]
        tl.store(target, sum_, mask=mine & (r < R)[None, :])


def shrink(x: Tensor, a: Tensor, tiles: Tensor, splits: int, tile: int) -> Tensor:
    """x bfloat16 [M, K], a [slots, K, P * R] -> x A^T in `splits` pieces, float32 [splits, M, P * R].

    Rows of slot 0 are left unwritten. Reference: `shrink_plain`.
    """
    rows, columns = x.shape
    ranks = a.shape[2]
    block = 128
    per = triton.cdiv(triton.cdiv(columns, splits), block) * block
    out = torch.empty(splits, rows, ranks, dtype=torch.float32, device=x.device)
    _shrink[(tiles.shape[1], splits)](
        x, a, out, tiles, tiles.shape[1], rows, columns, per, a.stride(0), ranks,
        triton.next_power_of_2(ranks), block, tile, num_warps=4, num_stages=4 if ranks <= 64 else 2,
    )  # fmt: skip
    return out


def shrink_plain(x: Tensor, a: Tensor, slots: Tensor) -> Tensor:
    """float32 [M, parts * R], zero where the slot is 0; slots int [M]."""
    out = torch.zeros(len(x), a.shape[2], device=x.device)
    for row in slots.nonzero()[:, 0].tolist():
        out[row] = x[row].float() @ a[slots[row] - 1].float()
    return out


@triton.jit
def load_factor(
    shrunk, slot, row, part, M, mine, SHRUNK: tl.constexpr, RANK: tl.constexpr, PARTS: tl.constexpr
):  # fmt: skip
    """The pieces of a part's shrunk rows, float32 [SHRUNK, TILE, RANK]; zero for slot 0.

    All that a kernel loads, it loads before it computes anything: a change of layout between two loads makes
    the second wait for the first.
    """
    piece, r = tl.arange(0, SHRUNK), tl.arange(0, RANK)
    source = shrunk + (piece[:, None, None] * M + row[None, :, None]) * (PARTS * RANK) + part * RANK
    known = (mine & (slot > 0))[None, :, None] & (r >= 0)[None, None, :] & (piece >= 0)[:, None, None]
    return tl.load(source + r[None, None, :], mask=known, other=0.0)


@triton.jit
def load_expand(expand, slot, column, N, stride, RANK: tl.constexpr):
    """B [RANK, columns] of a slot, for columns within N; zero for slot 0."""
    r = tl.arange(0, RANK)
    source = expand + tl.maximum(slot - 1, 0).to(tl.int64) * stride + r[:, None] * N + column[None, :]
    return tl.load(source, mask=(column < N)[None, :] & (slot > 0), other=0.0)


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
        old = tl.load(place, mask=inside, other=0.0)
        factor = load_factor(shrunk, slot, row, 0, M, mine, SHRUNK, RANK, 1)
        right = load_expand(expand, slot, column, N, stride, RANK)
        new = old.to(tl.float32) + tl.dot(tl.sum(factor, 0).to(right.dtype), right)
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
