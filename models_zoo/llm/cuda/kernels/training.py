"""What training does elementwise on CUDA, forward and back: one pass over memory each. M is the rows of a batch."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

COLUMNS = 2048  # of a block


@triton.jit
def _gate(gate_up, out, width, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < width
    gate = tl.load(gate_up + row * 2 * width + column, mask=inside, other=0).to(tl.float32)
    up = tl.load(gate_up + row * 2 * width + width + column, mask=inside, other=0).to(tl.float32)
    tl.store(out + row * width + column, gate * tl.sigmoid(gate) * up, mask=inside)


def gate(gate_up: Tensor) -> Tensor:
    """gate|up [M, 2 I], contiguous -> silu(gate) * up [M, I], rounded once. Reference: `activation.plain_gate`."""
    rows, width = gate_up.shape[0], gate_up.shape[1] // 2
    out = gate_up.new_empty(rows, width)
    _gate[(rows, triton.cdiv(width, COLUMNS))](gate_up, out, width, COLUMNS)
    return out


@triton.jit
def _gate_slope(gate_up, gradient, out, width, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < width
    gate = tl.load(gate_up + row * 2 * width + column, mask=inside, other=0).to(tl.float32)
    up = tl.load(gate_up + row * 2 * width + width + column, mask=inside, other=0).to(tl.float32)
    slope = tl.load(gradient + row * width + column, mask=inside, other=0).to(tl.float32)
    share = tl.sigmoid(gate)
    to_gate = slope * up * share * (1 + gate * (1 - share))
    tl.store(out + row * 2 * width + column, to_gate, mask=inside)
    tl.store(out + row * 2 * width + width + column, slope * gate * share, mask=inside)


def gate_slope(gate_up: Tensor, gradient: Tensor) -> Tensor:
    """gate|up [M, 2 I] and the gradient [M, I] of `gate` -> that of gate|up. Reference: `activation.plain_slope`."""
    rows, width = gradient.shape
    out = torch.empty_like(gate_up)
    _gate_slope[(rows, triton.cdiv(width, COLUMNS))](gate_up, gradient.contiguous(), out, width, COLUMNS)
    return out


@triton.jit
def _turn(
    x, cosine, sine, out, tokens, heads, by_text, by_token, by_head, sign,
    HEADS: tl.constexpr, HALF: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    head, place = tl.arange(0, HEADS)[:, None], tl.arange(0, WIDTH)[None, :]
    inside = (head < heads) & (place < HALF)
    start = x + (row // tokens) * by_text + (row % tokens) * by_token + head * by_head + place
    first = tl.load(start, mask=inside, other=0).to(tl.float32)
    second = tl.load(start + HALF, mask=inside, other=0).to(tl.float32)
    turn = row * HALF + place
    c = tl.load(cosine + turn, mask=place < HALF, other=0)
    s = tl.load(sine + turn, mask=place < HALF, other=0) * sign
    to = out + row * heads * 2 * HALF + head * 2 * HALF + place
    tl.store(to, first * c - second * s, mask=inside)
    tl.store(to + HALF, second * c + first * s, mask=inside)


def turn(x: Tensor, cosine: Tensor, sine: Tensor, sign: float) -> Tensor:
    """x [B, T, heads, D] rotated by the angles of cosine and sine float32 [B, T, 1, D / 2], contiguous; sign -1
    turns it back. Reference: `rotary.plain_rotate`."""
    if x.stride(-1) != 1:
        x = x.contiguous()
    batch, tokens, heads, size = x.shape
    out = x.new_empty(x.shape)
    _turn[(batch * tokens,)](
        x, cosine, sine, out, tokens, heads, x.stride(0), x.stride(1), x.stride(2), sign,
        triton.next_power_of_2(heads), size // 2, triton.next_power_of_2(size // 2),
    )  # fmt: skip
    return out


@triton.jit
def _add_norm(
    x, delta, weight, out, normed, inverse, H, epsilon, ADD: tl.constexpr, BH: tl.constexpr
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BH)
    inside = column < H
    scale = tl.load(weight + column, mask=inside, other=0)
    value = tl.load(x + row * H + column, mask=inside, other=0)
    if ADD:
        value += tl.load(delta + row * H + column, mask=inside, other=0).to(tl.float32)
        tl.store(out + row * H + column, value, mask=inside)
    unit = tl.rsqrt(tl.sum(value * value, 0) / H + epsilon)
    tl.store(normed + row * H + column, value * unit * scale, mask=inside)
    tl.store(inverse + row, unit)


def add_norm(
    x: Tensor, delta: Tensor | None, weight: Tensor, epsilon: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """x float32 [..., H], contiguous, and what is added to it -> their sum, its norm in `dtype`, and float32 [M]
    that each row was divided by, inverted. Reference: `norm.plain_add_norm`."""
    hidden = x.shape[-1]
    rows = x.numel() // hidden
    out = x if delta is None else torch.empty_like(x)
    normed = torch.empty(x.shape, dtype=dtype, device=x.device)
    inverse = torch.empty(rows, dtype=torch.float32, device=x.device)
    _add_norm[(rows,)](
        x, None if delta is None else delta.contiguous(), weight, out, normed, inverse, hidden, epsilon,
        delta is not None, triton.next_power_of_2(hidden), num_warps=8 if hidden > 2048 else 4,
    )  # fmt: skip
    return out, normed, inverse


@triton.jit
def _add_norm_slope(
    x, weight, inverse, to_sum, to_norm, to_x, to_delta, H, ADD: tl.constexpr, BH: tl.constexpr
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BH)
    inside = column < H
    scale = tl.load(weight + column, mask=inside, other=0)
    value = tl.load(x + row * H + column, mask=inside, other=0)
    direct = tl.load(to_sum + row * H + column, mask=inside, other=0)
    slope = tl.load(to_norm + row * H + column, mask=inside, other=0).to(tl.float32) * scale
    unit = tl.load(inverse + row)
    along = tl.sum(slope * value, 0) * unit * unit / H
    total = direct + unit * (slope - value * along)
    tl.store(to_x + row * H + column, total, mask=inside)
    if ADD:
        tl.store(to_delta + row * H + column, total, mask=inside)


def add_norm_slope(
    x: Tensor, weight: Tensor, inverse: Tensor, to_sum: Tensor, to_norm: Tensor, delta: torch.dtype | None
) -> tuple[Tensor, Tensor | None]:
    """What `add_norm` summed, and the gradients of the sum and of its norm -> those of x, float32, and of what was
    added to it, in `delta`, its type (None: nothing was)."""
    hidden = x.shape[-1]
    to_x = torch.empty_like(x)
    to_delta = None if delta is None else torch.empty(x.shape, dtype=delta, device=x.device)
    _add_norm_slope[(x.numel() // hidden,)](
        x, weight, inverse, to_sum.contiguous(), to_norm.contiguous(), to_x, to_delta, hidden,
        delta is not None, triton.next_power_of_2(hidden), num_warps=8 if hidden > 2048 else 4,
    )  # fmt: skip
    return to_x, to_delta
