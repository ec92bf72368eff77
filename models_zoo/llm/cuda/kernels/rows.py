"""What is done to whole rows between the products: embedding, residual and norm, quantizing to fp8.

H is the hidden size, M the rows of a batch. Rows of padding have slot 0; what they hold is never read.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from models_zoo.llm.cuda.kernels.lora import widened

FP8_LIMIT = 448.0  # the largest e4m3


@triton.jit
def _embed(tokens, codes, scale, out, H, BH: tl.constexpr):
    row = tl.program_id(0)
    column = tl.arange(0, BH)
    token = tl.load(tokens + row).to(tl.int64)
    inside = column < H
    code = tl.load(codes + token * H + column, mask=inside, other=0).to(tl.float32)
    unit = tl.load(scale + token * (H // 32) + column // 32, mask=inside, other=0).to(tl.float32)
    tl.store(out + row.to(tl.int64) * H + column, code * unit, mask=inside)


def embed(tokens: Tensor, codes: Tensor, scale: Tensor) -> Tensor:
    """tokens int32 [M]; codes int8 [V, H], scale float16 [V, H / 32] -> float32 [M, H].

    Reference: `Q8Matrix.rows_at`.
    """
    rows, hidden = len(tokens), codes.shape[1]
    out = torch.empty(rows, hidden, dtype=torch.float32, device=tokens.device)
    _embed[(rows,)](tokens, codes, scale, out, hidden, triton.next_power_of_2(hidden))
    return out


@triton.jit(do_not_specialize=["M"])
def _join_norm(
    residual, partial, shrunk, expand, slots, weight, out, codes, unit, M, H, epsilon, stride,
    SPLITS: tl.constexpr, SHRUNK: tl.constexpr, RANK: tl.constexpr, BH: tl.constexpr, FP8: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BH)
    inside = column < H
    if SHRUNK > 0:
        slot = tl.load(slots + row)
        b = expand + tl.maximum(slot - 1, 0).to(tl.int64) * stride
    scale = tl.load(weight + column, mask=inside, other=0.0)
    x = tl.load(residual + row * H + column, mask=inside, other=0.0)
    for part in tl.static_range(SPLITS):
        x += tl.load(partial + (part * M + row) * H + column, mask=inside, other=0.0).to(tl.float32)
    if SHRUNK > 0:
        piece = tl.arange(0, SHRUNK)
        for start in tl.static_range(0, RANK, 16):
            r = start + tl.arange(0, 16)
            source = shrunk + (piece[:, None] * M + row) * RANK + r[None, :]
            pieces = tl.load(source, mask=(r >= 0)[None, :] & (slot > 0), other=0.0)
            right = tl.load(b + r[:, None] * H + column[None, :], mask=(slot > 0) & inside[None, :], other=0)
            factor = tl.sum(pieces, 0)
            x += tl.sum(factor[:, None] * widened(right), 0)
    if SPLITS > 0:
        tl.store(residual + row * H + column, x, mask=inside)
    norm = tl.rsqrt(tl.sum(x * x, 0) / H + epsilon)
    y = x * norm * scale
    tl.store(out + row * H + column, y.to(out.dtype.element_ty), mask=inside)
    if FP8:
        largest = tl.maximum(tl.max(tl.abs(y), 0), 1e-6) / 448.0
        tl.store(codes + row * H + column, (y / largest).to(tl.float8e4nv), mask=inside)
        tl.store(unit + row, largest)


def join_norm(
    residual: Tensor,
    partial: Tensor | None,
    weight: Tensor,
    epsilon: float,
    lora: tuple[Tensor, Tensor, Tensor] | None = None,
    dtype: torch.dtype = torch.bfloat16,
    fp8: bool = False,
) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
    """Add a product to the residual float32 [M, H], in place, and normalize it (RMSNorm, Zhang & Sennrich, 2019).

    partial [S, M, H]: the product in S pieces, or None. lora: what `lora.shrink` gave float32 [P, M, R], the pool's
    B [slots, R, H] (see `lora.expand`) and the rows' slots int32 [M]. Gives the normalized rows [M, H] in `dtype`
    and, with `fp8`, as `quantize` gives them. Reference: `join_norm_plain`.
    """
    rows, hidden = residual.shape
    out = torch.empty(rows, hidden, dtype=dtype, device=residual.device)
    codes = torch.empty(rows, hidden, dtype=torch.float8_e4m3fn, device=residual.device) if fp8 else None
    unit = torch.empty(rows, 1, dtype=torch.float32, device=residual.device) if fp8 else None
    shrunk, expand, slots = lora if lora is not None else (None, None, None)
    _join_norm[(rows,)](
        residual, partial, shrunk, expand, slots, weight, out, codes, unit, rows, hidden, epsilon,
        0 if expand is None else expand.stride(0),
        0 if partial is None else partial.shape[0],
        0 if shrunk is None else shrunk.shape[0],
        0 if shrunk is None else shrunk.shape[2],
        triton.next_power_of_2(hidden), fp8, num_warps=_warps(hidden, expand),
    )  # fmt: skip
    return out, None if codes is None or unit is None else (codes, unit)


def _warps(hidden: int, expand: Tensor | None) -> int:
    """So many that with loads of 16 bytes each thread has its columns of all ranks: to sum over threads costs more
    than all the rest."""
    if expand is None:
        return 16 if hidden >= 4096 else 4
    bytes_of_a_row = int(triton.next_power_of_2(hidden)) * expand.element_size()
    return max(1, min(16, bytes_of_a_row // 512))


def join_norm_plain(
    residual: Tensor,
    partial: Tensor,
    weight: Tensor,
    epsilon: float,
    lora: tuple[Tensor, Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """(new residual, normalized rows), float32."""
    x = residual + partial.float().sum(0)
    if lora is not None:
        shrunk, expand, slots = lora
        for row in slots.nonzero()[:, 0].tolist():
            x[row] += shrunk[:, row].sum(0) @ expand[slots[row] - 1].float()
    return x, torch.nn.functional.rms_norm(x, weight.shape, weight, epsilon)


@triton.jit
def _quantize(x, codes, unit, K, BK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BK)
    value = tl.load(x + row * K + column, mask=column < K, other=0.0).to(tl.float32)
    largest = tl.maximum(tl.max(tl.abs(value), 0), 1e-6) / 448.0
    tl.store(codes + row * K + column, (value / largest).to(tl.float8e4nv), mask=column < K)
    tl.store(unit + row, largest)


def quantize(x: Tensor) -> tuple[Tensor, Tensor]:
    """x [M, K] -> e4m3 codes [M, K] and unit float32 [M, 1], x = codes * unit. Reference: `quantize_plain`."""
    rows, columns = x.shape
    codes = torch.empty(rows, columns, dtype=torch.float8_e4m3fn, device=x.device)
    unit = torch.empty(rows, 1, dtype=torch.float32, device=x.device)
    warps = 16 if columns > 4096 else 8
    _quantize[(rows,)](x, codes, unit, columns, triton.next_power_of_2(columns), num_warps=warps)
    return codes, unit


def quantize_plain(x: Tensor) -> tuple[Tensor, Tensor]:
    """The same in torch's operations."""
    unit = x.float().abs().amax(1, keepdim=True).clamp(min=1e-6) / FP8_LIMIT
    return (x.float() / unit).to(torch.float8_e4m3fn), unit
