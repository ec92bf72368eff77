"""Products with 8-bit weights: e4m3 or int8 codes with one unit per output row, activations bfloat16 or e4m3.

codes [N, K]; unit float32 [N]; a weight is code * unit.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from models_zoo.llm.cuda.kernels.rows import FP8_LIMIT
from models_zoo.llm.cuda.tuning import Tile


@triton.jit(do_not_specialize=["M"])
def _product(
    x, x_unit, codes, unit, out, M, N, K, per,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, NARROW: tl.constexpr,
):  # fmt: skip
    """A piece of out^T = W x^T on the matrix units, the weights as their first operand."""
    split = tl.program_id(1)
    n = tl.program_id(0) * BN + tl.arange(0, BN)
    safe = tl.minimum(n, N - 1).to(tl.int64)
    m = tl.program_id(2) * BM + tl.arange(0, BM)
    mine = m < M
    k = tl.arange(0, BK)
    weights = codes + safe[:, None] * K + k[None, :]
    rows = x + m[None, :].to(tl.int64) * K + k[:, None]
    sum_ = tl.zeros([BN, BM], tl.float32)
    for start in range(split * per, tl.minimum(split * per + per, K), BK):
        w = tl.load(weights + start)
        right = tl.load(rows + start, mask=mine[None, :], other=0.0)
        if not NARROW:
            w = w.to(tl.bfloat16)
        sum_ = tl.dot(w, right, sum_)
    sum_ *= tl.load(unit + safe)[:, None]
    if NARROW:
        sum_ *= tl.load(x_unit + m, mask=mine, other=0.0)[None, :]
    place = out + (split.to(tl.int64) * M + m[None, :]) * N + n[:, None]
    tl.store(place, sum_.to(out.dtype.element_ty), mask=mine[None, :] & (n < N)[:, None])


def product(x: Tensor, codes: Tensor, unit: Tensor, tile: Tile, x_unit: Tensor | None = None) -> Tensor:
    """x [M, K] -> x W^T in pieces, [splits, M, N], bfloat16 when it is one. `tile.inner` divides K.

    x is bfloat16, or e4m3 with its unit float32 [M, 1]. Reference: `product_plain`.
    """
    rows, columns = x.shape
    dtype = torch.bfloat16 if tile.splits == 1 else torch.float32
    out = torch.empty(tile.splits, rows, len(codes), dtype=dtype, device=x.device)
    per = triton.cdiv(columns // tile.inner, tile.splits) * tile.inner
    _product[(triton.cdiv(len(codes), tile.columns), tile.splits, triton.cdiv(rows, tile.rows))](
        x, x_unit, codes, unit, out, rows, len(codes), columns, per, tile.rows, tile.columns, tile.inner,
        x_unit is not None, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out


def product_plain(x: Tensor, codes: Tensor, unit: Tensor) -> Tensor:
    """float32 [M, N]."""
    return x.float() @ (codes.float() * unit[:, None]).t()


def library_product(x: tuple[Tensor, Tensor], codes: Tensor, unit: Tensor) -> Tensor:
    """e4m3 x with its unit, times e4m3 W^T -> bfloat16 [1, M, N], on cuBLAS. K and N are multiples of 16."""
    y: Tensor = torch._scaled_mm(
        x[0], codes.t(), scale_a=x[1], scale_b=unit[None], out_dtype=torch.bfloat16, use_fast_accum=True
    )
    return y[None]


@triton.jit
def _dequantize(codes, unit, out, K, BK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BK + tl.arange(0, BK)
    code = tl.load(codes + row * K + column, mask=column < K, other=0.0).to(tl.float32)
    tl.store(out + row * K + column, code * tl.load(unit + row), mask=column < K)


def dequantize(codes: Tensor, unit: Tensor) -> Tensor:
    """W bfloat16 [N, K], rounded once."""
    rows, columns = codes.shape
    out = torch.empty(rows, columns, dtype=torch.bfloat16, device=codes.device)
    _dequantize[(rows, triton.cdiv(columns, 4096))](codes, unit, out, columns, 4096)
    return out


def to_fp8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """weight [N, K] -> e4m3 codes [N, K] and unit float32 [N]."""
    unit = weight.float().abs().amax(dim=1).clamp(min=1e-12) / FP8_LIMIT
    return (weight.float() / unit[:, None]).to(torch.float8_e4m3fn), unit
