"""Products with 4-bit weights as they lie in the file: nibbles of GGUF's Q4_1 order, decoded on the way.

nibbles uint8 [N, K / 2]: in a group of 32 columns, byte j holds columns j (low half) and j + 16 (high half).
affine int32 [N, K / 32]: the group's scale (low half) and zero (high half), bfloat16 each; a weight is
scale * (nibble - 8) + zero. Around 8 the zero is small, so that bfloat16 loses no more than it does of a weight.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from models_zoo.llm.cuda.tuning import Tile
from models_zoo.llm.quant import GROUP, Q4Matrix


@triton.jit
def _centred(packed):
    """uint8 -> the two nibbles minus 8, bfloat16: 128 + n is bfloat16 0x4300 | n, and 136 is taken off."""
    return tl.inline_asm_elementwise(
        """
        {
        .reg .b32 a, b, one, offset;
        mov.b32 one, 0x3f803f80;
        mov.b32 offset, 0xc308c308;
        prmt.b32 a, $4, 0, 0x4140;
        prmt.b32 b, $4, 0, 0x4342;
        lop3.b32 $0, a, 0x000f000f, 0x43004300, 0xea;
        lop3.b32 $1, b, 0x000f000f, 0x43004300, 0xea;
        shr.u32 a, a, 4;
        shr.u32 b, b, 4;
        lop3.b32 $2, a, 0x000f000f, 0x43004300, 0xea;
        lop3.b32 $3, b, 0x000f000f, 0x43004300, 0xea;
        fma.rn.bf16x2 $0, $0, one, offset;
        fma.rn.bf16x2 $1, $1, one, offset;
        fma.rn.bf16x2 $2, $2, one, offset;
        fma.rn.bf16x2 $3, $3, one, offset;
        }
        """,
        "=&r,=&r,=&r,=&r,r",
        [packed],
        dtype=(tl.bfloat16, tl.bfloat16),
        is_pure=True,
        pack=4,
    )


@triton.jit
def _scale(affine):
    return affine.to(tl.uint16).to(tl.bfloat16, bitcast=True)


@triton.jit
def _zero(affine):
    return (affine >> 16).to(tl.uint16).to(tl.bfloat16, bitcast=True)


@triton.jit(do_not_specialize=["M"])
def _product(
    x, nibbles, affine, out, M, N, groups, per, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr
):  # fmt: skip
    """A piece of out^T = W x^T on the matrix units, the weights as their first operand."""
    split = tl.program_id(1)
    n = tl.program_id(0) * BN + tl.arange(0, BN)
    safe = tl.minimum(n, N - 1).to(tl.int64)
    m = tl.program_id(2) * BM + tl.arange(0, BM)
    mine = m < M
    HALF: tl.constexpr = BK // 2
    NG: tl.constexpr = BK // 32
    j = tl.arange(0, HALF)
    low_column = (j // 16) * 32 + j % 16
    g = tl.arange(0, NG)
    K = groups * 32
    source = nibbles + (safe * groups * 16)[:, None] + j[None, :]
    pairs = affine + (safe * groups)[:, None] + g[None, :]
    rows = x + m[None, :].to(tl.int64) * K + low_column[:, None]
    sum_ = tl.zeros([BN, BM], tl.float32)
    for start in range(split * per, tl.minimum(split * per + per, K), BK):
        packed = tl.load(source + start // 2)
        pair = tl.load(pairs + start // 32)
        left = tl.load(rows + start, mask=mine[None, :], other=0.0)
        right = tl.load(rows + start + 16, mask=mine[None, :], other=0.0)
        scale = tl.reshape(tl.broadcast_to(_scale(pair)[:, :, None], (BN, NG, 16)), (BN, HALF))
        zero = tl.reshape(tl.broadcast_to(_zero(pair)[:, :, None], (BN, NG, 16)), (BN, HALF))
        low, high = _centred(packed)
        sum_ = tl.dot(low * scale + zero, left, sum_)
        sum_ = tl.dot(high * scale + zero, right, sum_)
    place = out + (split.to(tl.int64) * M + m[None, :]) * N + n[:, None]
    tl.store(place, sum_.to(out.dtype.element_ty), mask=mine[None, :] & (n < N)[:, None])


@triton.jit
def _weight(nibble, affine):
    """Rounded once."""
    scale, zero = _scale(affine).to(tl.float32), _zero(affine).to(tl.float32)
    return (nibble.to(tl.float32) * scale + zero).to(tl.bfloat16)


@triton.jit
def _dequantize(nibbles, affine, out, N, groups, BN: tl.constexpr, NG: tl.constexpr):
    n = tl.program_id(0) * BN + tl.arange(0, BN)
    g = tl.program_id(1) * NG + tl.arange(0, NG)
    j = tl.arange(0, 16)
    inside = (n < N)[:, None] & (g < groups)[None, :]
    place = n.to(tl.int64)[:, None] * groups + g[None, :]
    wide = inside[:, :, None] & (j >= 0)[None, None, :]
    packed = tl.load(nibbles + (place * 16)[:, :, None] + j[None, None, :], mask=wide, other=0)
    pair = tl.load(affine + place, mask=inside, other=0)[:, :, None]
    low, high = _centred(packed)
    target = out + (place * 32)[:, :, None] + j[None, None, :]
    tl.store(target, _weight(low, pair), mask=wide)
    tl.store(target + 16, _weight(high, pair), mask=wide)


def to_affine(scale: Tensor, minimum: Tensor) -> Tensor:
    """scale, minimum float16 [N, K / 32] -> int32 [N, K / 32], see the module."""
    zero = (minimum.float() + 8 * scale.float()).bfloat16()
    pair = torch.stack([scale.float().bfloat16(), zero], dim=-1)
    return pair.view(torch.int32)[..., 0].contiguous()


def dequantize_plain(nibbles: Tensor, affine: Tensor) -> Tensor:
    """float32 [N, K] in torch's operations: the reference of this file."""
    pair = affine.contiguous().view(torch.bfloat16).view(*affine.shape, 2).float()
    none = torch.zeros_like(affine, dtype=torch.float16)
    codes = Q4Matrix(nibbles, none, none).codes().view(*affine.shape, GROUP).float()
    return ((codes - 8) * pair[..., :1] + pair[..., 1:]).flatten(1)


def product(x: Tensor, nibbles: Tensor, affine: Tensor, tile: Tile) -> Tensor:
    """x bfloat16 [M, K] -> x W^T in pieces, [splits, M, N], bfloat16 when it is one. `tile.inner` divides K."""
    rows, columns = x.shape
    dtype = torch.bfloat16 if tile.splits == 1 else torch.float32
    out = torch.empty(tile.splits, rows, len(nibbles), dtype=dtype, device=x.device)
    per = triton.cdiv(columns // tile.inner, tile.splits) * tile.inner
    _product[(triton.cdiv(len(nibbles), tile.columns), tile.splits, triton.cdiv(rows, tile.rows))](
        x, nibbles, affine, out, rows, len(nibbles), columns // GROUP, per, tile.rows, tile.columns, tile.inner,
        num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out


def dequantize(nibbles: Tensor, affine: Tensor, out: Tensor) -> Tensor:
    """W bfloat16 [N, K], written to `out`."""
    rows, columns = out.shape
    groups = columns // GROUP
    _dequantize[(triton.cdiv(rows, 16), triton.cdiv(groups, 32))](nibbles, affine, out, rows, groups, 16, 32)
    return out
