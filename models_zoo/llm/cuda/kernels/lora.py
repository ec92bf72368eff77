"""Many adapters in one batch: LoRA (Hu et al., 2021) over a stacked pool, grouped as in Punica (Chen et al., 2023).

A tile is a run of up to TILE consecutive rows of one slot; tiles cover all rows, those of slot 0 too. `tiles`
int32 [3, T] holds slot, first row and row count; a tile of count 0 is skipped, so that one launch, and one graph,
serves any assignment that fits T tiles. Tiles of one row are summed without the matrix units, which would compute
sixteen. The pool keeps A as [slots, P * R, K], B as [slots, R, N] and their common scale as float32 [slots, P * R],
for P fused parts of padded rank R, as strided views of one tensor (see `pool`); slot s is at index s - 1.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from models_zoo.llm.cuda.policy import shrink_splits

BLOCK = 8192  # weights that a program of `_shrink` reads at once


@triton.jit
def widened(codes):
    """bfloat16 or int8 -> float32. Of an int8 the byte n + 128 is put under the exponent of 2**23, and both are taken
    off again: the unit that converts integers does sixteen a cycle."""
    if codes.dtype == tl.int8:
        return tl.inline_asm_elementwise(
            """
            {
            .reg .b32 n;
            xor.b32 n, $4, 0x80808080;
            prmt.b32 $0, n, 0x4b000000, 0x7440;
            prmt.b32 $1, n, 0x4b000000, 0x7441;
            prmt.b32 $2, n, 0x4b000000, 0x7442;
            prmt.b32 $3, n, 0x4b000000, 0x7443;
            add.f32 $0, $0, 0fcb000080;
            add.f32 $1, $1, 0fcb000080;
            add.f32 $2, $2, 0fcb000080;
            add.f32 $3, $3, 0fcb000080;
            }
            """,
            "=&r,=&r,=&r,=&r,r",
            [codes],
            dtype=tl.float32,
            is_pure=False,  # or it would be done after a change of layout, which is then byte by byte
            pack=4,
        )
    else:
        return codes.to(tl.float32)


@triton.jit(do_not_specialize=["M"])
def _shrink(
    x, a, scale, out, tiles, T, M, K, per, stride, scale_stride, R,
    RP: tl.constexpr, BK: tl.constexpr, TILE: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    tile, split = tl.program_id(0), tl.program_id(1)
    slot = tl.load(tiles + tile)
    if TILE == 1:  # the rows' slots themselves
        first, count = tile, 1
    else:
        first, count = tl.load(tiles + T + tile), tl.load(tiles + 2 * T + tile)
    if (slot > 0) & (count > 0):
        index = tl.arange(0, TILE)
        row = (first + index).to(tl.int64)
        mine = index < count
        k, r = tl.arange(0, BK), tl.program_id(2) * RP + tl.arange(0, RP)
        xs = x + row[None, :] * K + k[:, None]
        ws = a + (slot - 1).to(tl.int64) * stride + r[:, None] * K + k[None, :]
        unit = tl.load(scale + (slot - 1).to(tl.int64) * scale_stride + r, mask=r < R, other=0.0)
        sum_ = tl.zeros([RP, TILE], tl.float32)
        for start in tl.range(split * per, split * per + per, BK, num_stages=STAGES):
            inside = start + k < K
            left = tl.load(ws + start, mask=(r < R)[:, None] & inside[None, :], other=0)
            right = tl.load(xs + start, mask=inside[:, None] & mine[None, :], other=0.0)
            if TILE == 1:
                product = widened(left) * tl.trans(right).to(tl.float32)
                sum_ += tl.sum(product, 1, keep_dims=True)
            else:
                sum_ = tl.dot(left.to(tl.bfloat16), right, sum_)
        target = out + (split * M + row[None, :]) * R + r[:, None]
        tl.store(target, sum_ * unit[:, None], mask=(r < R)[:, None] & mine[None, :])


def shrink(x: Tensor, a: Tensor, scale: Tensor, tiles: Tensor, tile: int, rank: int) -> Tensor:
    """x bfloat16 [M, K], a bfloat16 or int8 [slots, P * R, K], scale [slots, P * R] -> scale * (x A^T) in pieces,
    float32 [pieces, M, P * R].

    With tile 1, `tiles` is the rows' slots int32 [M]. Rows of slot 0 are left unwritten. Reference: `shrink_plain`.
    """
    rows, columns = x.shape
    ranks, count = a.shape[1], tiles.shape[-1]
    height = rank if tile <= 16 else triton.next_power_of_2(ranks)  # of a part, or of all
    splits = shrink_splits(columns, count, ranks // rank, tile)
    piece = triton.cdiv(columns, splits)
    block = min(triton.next_power_of_2(piece), BLOCK // height if tile == 1 else 128)
    per = triton.cdiv(piece, block) * block
    out = torch.empty(splits, rows, ranks, dtype=torch.float32, device=x.device)
    _shrink[(count, splits, triton.cdiv(ranks, height))](
        x, a, scale, out, tiles, count, rows, columns, per, a.stride(0), scale.stride(0), ranks,
        height, block, tile, 2 if tile == 1 else 4, num_warps=4,
    )  # fmt: skip
    return out


def shrink_plain(x: Tensor, a: Tensor, scale: Tensor, slots: Tensor) -> Tensor:
    """float32 [M, P * R], zero where the slot is 0; slots int [M]."""
    out = torch.zeros(len(x), a.shape[1], device=x.device)
    for row in slots.nonzero()[:, 0].tolist():
        out[row] = a[slots[row] - 1].float() @ x[row].float() * scale[slots[row] - 1]
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
    return tl.load(source, mask=(column < N)[None, :] & (slot > 0), other=0)


@triton.jit
def expanded(factor, expand, TILE: tl.constexpr):
    """What `load_factor` gave times what `load_expand` gave, float32 [TILE, columns]."""
    shrunk = tl.sum(factor, 0)
    if TILE == 1:
        return tl.sum(tl.trans(shrunk) * widened(expand), 0, keep_dims=True)
    else:
        return tl.dot(shrunk.to(tl.bfloat16), widened(expand).to(tl.bfloat16))


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
        new = old.to(tl.float32) + expanded(factor, right, TILE)
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
