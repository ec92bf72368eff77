"""The ends of the two wide products: rotation and the key-value cache after q|k|v, silu(gate) * up after gate|up.

Both sum the pieces of the base's product, add what each row's adapter adds, and store once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from models_zoo.llm.cuda.kernels.lora import expanded, load_expand, load_factor


@dataclass(slots=True, frozen=True)
class Delta:
    """What adapters add to a product: shrunk float32 [S, M, P * R] and B [slots, R, N] (see `lora`)."""

    shrunk: Tensor
    expand: Tensor


@triton.jit
def _load_pieces(partial, row, column, M, N, inside, SPLITS: tl.constexpr):
    """[SPLITS, TILE, columns]"""
    piece = tl.arange(0, SPLITS)
    source = partial + (piece[:, None, None] * M + row[None, :, None]) * N + column[None, None, :]
    return tl.load(source, mask=inside[None, :, :] & (piece >= 0)[:, None, None], other=0.0)


@triton.jit(do_not_specialize=["M"])
def _finish_qkv(
    partial, shrunk, expand, out, tiles, T, positions, bases, tables, cosine, sine, cache, M,
    stride, block_stride,
    SPLITS: tl.constexpr, SHRUNK: tl.constexpr, RANK: tl.constexpr, TILE: tl.constexpr, HQ: tl.constexpr,
    HK: tl.constexpr, D: tl.constexpr, HALF: tl.constexpr, PAGE: tl.constexpr,
):  # fmt: skip
    tile, head = tl.program_id(0), tl.program_id(1)
    N: tl.constexpr = (HQ + 2 * HK) * D
    index = tl.arange(0, TILE)
    slot = tl.load(tiles + tile)
    row = (tl.load(tiles + T + tile) + index).to(tl.int64)
    count = tl.load(tiles + 2 * T + tile)
    if count > 0:
        mine = index < count
        d = tl.arange(0, HALF)
        first = head * D + d
        second = first + D // 2
        inside = mine[:, None] & (d < D // 2)[None, :]
        position = tl.load(positions + row, mask=mine, other=-1)
        base = tl.load(bases + row, mask=mine, other=-1)
        angle = tl.maximum(position, 0)[:, None] * (D // 2) + d[None, :]
        turns = inside & (head < HQ + HK)
        c = tl.load(cosine + angle, mask=turns, other=1.0)
        s = tl.load(sine + angle, mask=turns, other=0.0)
        left = _load_pieces(partial, row, first, M, N, inside, SPLITS)
        right = _load_pieces(partial, row, second, M, N, inside, SPLITS)
        if SHRUNK > 0:
            part = (head >= HQ).to(tl.int32) + (head >= HQ + HK).to(tl.int32)
            factor = load_factor(shrunk, slot, row, part, M, mine, SHRUNK, RANK, 3)
            expand_left = load_expand(expand, slot, first, N, stride, RANK)
            expand_right = load_expand(expand, slot, second, N, stride, RANK)
        a = tl.sum(left.to(tl.float32), 0)
        b = tl.sum(right.to(tl.float32), 0)
        if SHRUNK > 0:
            a += expanded(factor, expand_left, TILE)
            b += expanded(factor, expand_right, TILE)
        turned = a * c - b * s
        b = b * c + a * s
        low, high = turned.to(out.dtype.element_ty), b.to(out.dtype.element_ty)
        tl.store(out + row[:, None] * N + first[None, :], low, mask=inside)
        tl.store(out + row[:, None] * N + second[None, :], high, mask=inside)
        if head >= HQ:
            paged = mine & (base >= 0) & (position >= 0)
            block = tl.load(tables + base + position // PAGE, mask=paged, other=0).to(tl.int64)
            offset = position % PAGE
            page = cache + block * block_stride
            write = inside & paged[:, None]
            if head < HQ + HK:  # keys [HK, D, PAGE]
                place = page[:, None] + ((head - HQ) * D + d[None, :]) * PAGE + offset[:, None]
                tl.store(place, low.to(cache.dtype.element_ty), mask=write)
                tl.store(place + D // 2 * PAGE, high.to(cache.dtype.element_ty), mask=write)
            else:  # values [HK, PAGE, D]
                head_place = HK * D * PAGE + (head - HQ - HK) * D * PAGE
                place = page[:, None] + head_place + offset[:, None] * D + d[None, :]
                tl.store(place, low.to(cache.dtype.element_ty), mask=write)
                tl.store(place + D // 2, high.to(cache.dtype.element_ty), mask=write)


def finish_qkv(
    partial: Tensor,
    delta: Delta | None,
    tiles: Tensor,
    rows: tuple[Tensor, Tensor, Tensor],
    rotary: tuple[Tensor, Tensor],
    cache: Tensor | None,
    layer: int,
    shape: tuple[int, int, int, int],
    tile: int,
) -> Tensor:
    """partial [S, M, N] with N = (HQ + 2 HK) D -> q, k, v [M, N], q and k rotated (Su et al., 2021).

    shape: HQ, HK, D and the block size. rows: positions int32 [M] (-1: padding), where each row's block table
    begins in the third, tables int32 (-1: none). Keys and values of rows with a table also go to `cache`, the data
    of a `PagedCache`. rotary: cosine and sine float32 [context, D / 2]. Reference: `finish_qkv_plain` and
    `PagedCache.write`.
    """
    splits, count, width = partial.shape
    query_heads, key_heads, size, page = shape
    out = torch.empty(count, width, dtype=torch.bfloat16, device=partial.device)
    positions, bases, tables = rows
    used = out if cache is None else cache[:, layer]
    _finish_qkv[(tiles.shape[1], query_heads + 2 * key_heads)](
        partial, delta and delta.shrunk, delta and delta.expand, out, tiles, tiles.shape[1], positions, bases,
        tables, *rotary, used, count, 0 if delta is None else delta.expand.stride(0), used.stride(0),
        splits,
        0 if delta is None else delta.shrunk.shape[0], 16 if delta is None else delta.expand.shape[1],
        tile, query_heads, key_heads, size, max(16, triton.next_power_of_2(size // 2)), page,
        num_warps=1 if tile == 1 else 4,
    )  # fmt: skip
    return out


def finish_qkv_plain(
    product: Tensor, positions: Tensor, rotary: tuple[Tensor, Tensor], shape: tuple[int, int, int]
) -> Tensor:
    """product float32 [M, N], LoRA added -> the same with q and k rotated."""
    query_heads, key_heads, size = shape
    heads = product.view(len(product), -1, size).clone()
    cosine, sine = (table[positions.long()][:, None] for table in rotary)
    turned = heads[:, : query_heads + key_heads]
    first, second = turned.chunk(2, dim=-1)
    rotated = torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)
    heads[:, : query_heads + key_heads] = rotated
    return heads.flatten(1)


@triton.jit(do_not_specialize=["M"])
def _finish_mlp(
    partial, shrunk, expand, out, tiles, T, M, INNER, stride,
    SPLITS: tl.constexpr, SHRUNK: tl.constexpr, RANK: tl.constexpr, TILE: tl.constexpr, BN: tl.constexpr,
):  # fmt: skip
    tile = tl.program_id(0)
    index = tl.arange(0, TILE)
    slot = tl.load(tiles + tile)
    row = (tl.load(tiles + T + tile) + index).to(tl.int64)
    count = tl.load(tiles + 2 * T + tile)
    if count > 0:
        mine = index < count
        column = tl.program_id(1) * BN + tl.arange(0, BN)
        inside = mine[:, None] & (column < INNER)[None, :]
        N = 2 * INNER
        gates = _load_pieces(partial, row, column, M, N, inside, SPLITS)
        ups = _load_pieces(partial, row, INNER + column, M, N, inside, SPLITS)
        if SHRUNK > 0:
            gate_factor = load_factor(shrunk, slot, row, 0, M, mine, SHRUNK, RANK, 2)
            up_factor = load_factor(shrunk, slot, row, 1, M, mine, SHRUNK, RANK, 2)
            gate_expand = load_expand(expand, slot, column, N, stride, RANK)
            up_expand = load_expand(expand, slot, INNER + column, N, stride, RANK)
        gate = tl.sum(gates.to(tl.float32), 0)
        up = tl.sum(ups.to(tl.float32), 0)
        if SHRUNK > 0:
            gate += expanded(gate_factor, gate_expand, TILE)
            up += expanded(up_factor, up_expand, TILE)
        y = gate * tl.sigmoid(gate) * up
        tl.store(out + row[:, None] * INNER + column[None, :], y.to(out.dtype.element_ty), mask=inside)


def finish_mlp(partial: Tensor, delta: Delta | None, tiles: Tensor, tile: int) -> Tensor:
    """partial [S, M, 2 I], gate|up in S pieces -> silu(gate) * up bfloat16 [M, I] (SwiGLU, Shazeer, 2020).

    Reference: `finish_mlp_plain`.
    """
    splits, count, width = partial.shape
    inner, block = width // 2, 256 if tile == 1 else 128
    out = torch.empty(count, inner, dtype=torch.bfloat16, device=partial.device)
    _finish_mlp[(tiles.shape[1], triton.cdiv(inner, block))](
        partial, delta and delta.shrunk, delta and delta.expand, out, tiles, tiles.shape[1], count, inner,
        0 if delta is None else delta.expand.stride(0), splits,
        0 if delta is None else delta.shrunk.shape[0], 16 if delta is None else delta.expand.shape[1], tile,
        block, num_warps=1 if tile == 1 else 4,
    )  # fmt: skip
    return out


def finish_mlp_plain(product: Tensor) -> Tensor:
    """product float32 [M, 2 I], LoRA added -> float32 [M, I]."""
    gate, up = product.chunk(2, dim=-1)
    return torch.nn.functional.silu(gate) * up
