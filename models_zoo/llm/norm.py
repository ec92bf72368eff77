"""The residual stream and its norms (RMSNorm, Zhang & Sennrich, 2019)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models_zoo.llm.devices import on_kernels


def add_norm(
    x: Tensor, delta: Tensor | None, weight: Tensor, epsilon: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """x float32 [..., H] and what is added to it, or None -> their sum, float32, and its norm in `dtype`."""
    if not on_kernels(x):
        return plain_add_norm(x, delta, weight, epsilon, dtype)
    both: tuple[Tensor, Tensor] = AddNorm.apply(x, delta, weight, epsilon, dtype)  # type: ignore[no-untyped-call]
    return both


def plain_add_norm(
    x: Tensor, delta: Tensor | None, weight: Tensor, epsilon: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """`add_norm` in torch's operations."""
    x = x if delta is None else x + delta
    return x, F.rms_norm(x, weight.shape, weight, epsilon).to(dtype)


class AddNorm(torch.autograd.Function):
    """`add_norm` on our kernels, over a frozen weight: a pass over memory each way."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, delta: Tensor | None, weight: Tensor, epsilon: float, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        from models_zoo.llm.cuda.kernels import training

        x = x.contiguous()
        sum_, normed, inverse = training.add_norm(x, delta, weight, epsilon, dtype)
        ctx.save_for_backward(sum_, weight, inverse)
        ctx.delta = None if delta is None else delta.dtype
        return (x.view_as(x) if delta is None else sum_), normed

    @staticmethod
    def backward(ctx: Any, to_sum: Tensor, to_norm: Tensor) -> tuple[Tensor | None, ...]:
        from models_zoo.llm.cuda.kernels import training

        sum_, weight, inverse = ctx.saved_tensors
        to_x, to_delta = training.add_norm_slope(sum_, weight, inverse, to_sum, to_norm, ctx.delta)
        return to_x, to_delta, None, None, None
