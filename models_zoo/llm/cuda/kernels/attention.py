"""Attention over blocks of the key-value cache, or over the rows of the batch itself.

One kernel serves a single token of many sequences, whose keys it reads in several pieces at once (Flash-Decoding,
Dao et al., 2023), and chunks of prompts (FlashAttention, Dao et al., 2022). A tile is a run of consecutive rows
of one sequence; all query heads of one key head are computed together (grouped-query attention).
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

# keys of a block, warps and stages, measured on an H200
DECODE, PROMPT = (32, 2, 2), (64, 4, 2)


@triton.jit
def _places(
    cache, tables, base, key, stop, head, d, block_stride,
    PAGED: tl.constexpr, HQ: tl.constexpr, HK: tl.constexpr, D: tl.constexpr, PAGE: tl.constexpr,
):  # fmt: skip
    """Where keys [DP, BL] and values [BL, DP] of the positions `key` lie, and which of them may be read."""
    if PAGED:
        there = key // PAGE * PAGE < stop  # whole blocks, so that loads are wide
        block = tl.load(tables + base + key // PAGE, mask=there, other=0)
        block = tl.max_constancy(block, [PAGE]).to(tl.int64)
        page = cache + block * block_stride + head * (D * PAGE)
        ks = page[None, :] + d[:, None] * PAGE + (key % PAGE)[None, :]
        vs = page[:, None] + HK * D * PAGE + (key % PAGE)[:, None] * D + d[None, :]
    else:
        there = key < stop
        source = cache + (base + key).to(tl.int64) * (HQ + 2 * HK) * D
        ks = source[None, :] + (HQ + head) * D + d[:, None]
        vs = source[:, None] + (HQ + HK + head) * D + d[None, :]
    return ks, vs, there


@triton.jit
def _put(
    sum_, high, total, out, part, scales, place, split, lines, mine, d,
    D: tl.constexpr, DP: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    """The mixture of a tile, or, when keys are read in pieces, this piece and what `_join` weighs it with."""
    if SPLITS == 1:
        y = sum_ / total[:, None]
        target = out + place[:, None] * D + d[None, :]
        tl.store(target, y.to(out.dtype.element_ty), mask=mine[:, None] & (d < D)[None, :])
    else:
        piece = split.to(tl.int64) * lines + place
        tl.store(part + piece[:, None] * DP + d[None, :], sum_, mask=mine[:, None])
        tl.store(scales + piece * 2, high, mask=mine)
        tl.store(scales + piece * 2 + 1, total, mask=mine)


@triton.jit
def _attend(
    qkv, cache, tables, tiles, T, out, part, scales, scale, block_stride, rows,
    PAGED: tl.constexpr, HQ: tl.constexpr, HK: tl.constexpr, D: tl.constexpr, DP: tl.constexpr,
    PAGE: tl.constexpr, TOKENS: tl.constexpr, GROUP: tl.constexpr, BL: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    tile, head, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    N: tl.constexpr = (HQ + 2 * HK) * D
    SHARED: tl.constexpr = HQ // HK
    count = tl.load(tiles + T + tile)
    if count > 0:
        first = tl.load(tiles + tile).to(tl.int64)
        seen = tl.load(tiles + 2 * T + tile)
        base = tl.load(tiles + 3 * T + tile)
        length = tl.load(tiles + 4 * T + tile)
        line = tl.arange(0, TOKENS * GROUP)
        token, query = line // GROUP, line % GROUP
        mine = (token < count) & (query < SHARED)
        d, l = tl.arange(0, DP), tl.arange(0, BL)  # noqa: E741
        source = qkv + (first + token)[:, None] * N + ((head * SHARED + query) * D)[:, None] + d[None, :]
        q = tl.load(source, mask=mine[:, None] & (d < D)[None, :], other=0.0)
        limit = tl.minimum(seen + token, length)
        stop = tl.minimum(seen + count - 1, length)
        per = tl.cdiv(tl.cdiv(stop, SPLITS), BL) * BL
        begin = split * per
        high = tl.full([TOKENS * GROUP], -1e30, tl.float32)
        total = tl.zeros([TOKENS * GROUP], tl.float32)
        sum_ = tl.zeros([TOKENS * GROUP, DP], tl.float32)
        for start in range(begin, tl.minimum(begin + per, stop), BL):
            key = start + l
            ks, vs, there = _places(
                cache, tables, base, key, stop, head, d, block_stride, PAGED, HQ, HK, D, PAGE
            )
            k = tl.load(ks, mask=there[None, :] & (d < D)[:, None], other=0.0)
            v = tl.load(vs, mask=there[:, None] & (d < D)[None, :], other=0.0)
            score = tl.dot(q, k.to(q.dtype)) * scale
            score = tl.where(key[None, :] < limit[:, None], score, -1e30)
            highest = tl.maximum(high, tl.max(score, 1))
            p = tl.exp2(score - highest[:, None])
            shrink = tl.exp2(high - highest)
            total = total * shrink + tl.sum(p, 1)
            sum_ = tl.dot(p.to(q.dtype), v.to(q.dtype), sum_ * shrink[:, None])
            high = highest
        place = (first + token) * HQ + head * SHARED + query
        _put(sum_, high, total, out, part, scales, place, split, rows * HQ, mine, d, D, DP, SPLITS)


@triton.jit
def _join(part, scales, out, lines, D: tl.constexpr, DP: tl.constexpr, SPLITS: tl.constexpr):
    line = tl.program_id(0).to(tl.int64)
    s, d = tl.arange(0, SPLITS), tl.arange(0, DP)
    piece = s * lines + line
    high = tl.load(scales + piece * 2)
    total = tl.load(scales + piece * 2 + 1)
    weight = tl.exp2(high - tl.max(high, 0))
    sum_ = tl.load(part + piece[:, None] * DP + d[None, :])
    y = tl.sum(sum_ * weight[:, None], 0) / tl.sum(total * weight, 0)
    tl.store(out + line * D + d, y.to(out.dtype.element_ty), mask=d < D)


def tokens_of_a_tile(query_heads: int, key_heads: int, decode: bool) -> int:
    """Rows of a sequence that are computed together: as many as fill 16 or 64 lines with their heads."""
    group = triton.next_power_of_2(query_heads // key_heads)
    return int(max(1, (16 if decode else 64) // group))


def attend(
    qkv: Tensor,
    cache: Tensor | None,
    tables: Tensor,
    tiles: Tensor,
    layer: int,
    shape: tuple[int, int, int, int],
    out: Tensor,
    decode: bool,
    splits: int = 1,
) -> None:
    """qkv bfloat16 [M, (HQ + 2 HK) D], rotated -> out [M, HQ D], the rows of the tiles.

    tiles int32 [5, T]: first row, rows (at most `tokens_of_a_tile`), keys that its first row sees (each next row
    one more), base, keys there are. With a cache the base is where the block table begins in `tables`, else the
    first row of the sequence. shape: HQ, HK, D and the block size. Reference: `attend_plain`.
    """
    query_heads, key_heads, size, page = shape
    rows, padded = len(qkv), max(16, triton.next_power_of_2(size))
    group = triton.next_power_of_2(query_heads // key_heads)
    lines = rows * query_heads
    keys, warps, stages = DECODE if decode and page <= DECODE[0] else PROMPT
    if splits > 1:
        part = torch.empty(splits, lines, padded, dtype=torch.float32, device=qkv.device)
        scales = torch.empty(splits, lines, 2, dtype=torch.float32, device=qkv.device)
    else:
        part = scales = out
    used = qkv if cache is None else cache[:, layer]
    _attend[(tiles.shape[1], key_heads, splits)](
        qkv, used, tables, tiles, tiles.shape[1], out, part, scales, math.log2(math.e) / math.sqrt(size),
        used.stride(0), rows, cache is not None, query_heads, key_heads, size, padded, page,
        tokens_of_a_tile(query_heads, key_heads, decode), group, keys, splits, num_warps=warps, num_stages=stages,
    )  # fmt: skip
    if splits > 1:
        _join[(lines,)](part, scales, out, lines, size, padded, splits, num_warps=1)


def attend_plain(q: Tensor, k: Tensor, v: Tensor, seen: int) -> Tensor:
    """q [T, HQ, D], k and v [L, HK, D] float32 of one sequence; row t sees the first `seen` + t keys."""
    shared = q.shape[1] // k.shape[1]
    keys, values = (x.repeat_interleave(shared, 1).transpose(0, 1) for x in (k, v))
    limit = seen + torch.arange(len(q), device=q.device)
    mask = torch.arange(len(k), device=q.device) < limit[:, None]
    score = (q.transpose(0, 1) @ keys.transpose(1, 2)) / math.sqrt(q.shape[2])
    mixed: Tensor = score.masked_fill(~mask, -math.inf).softmax(-1) @ values
    return mixed.transpose(0, 1).flatten(1)
