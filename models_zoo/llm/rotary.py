"""Rotary position embedding (Su et al., 2021)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from models_zoo.llm.card import BaseConfig
from models_zoo.llm.devices import on_kernels


def rotary_table(config: BaseConfig, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine float32 [context, head_size / 2]."""
    exponent = torch.arange(0, config.head_size, 2, dtype=torch.float32) / config.head_size
    angle = torch.arange(config.context, dtype=torch.float32)[:, None] / config.rope_theta**exponent
    return angle.cos().to(device), angle.sin().to(device)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate x [B, T, heads, D], whose halves are the pairs; cosine and sine [B, T, 1, D / 2]. Keeps x's
    type."""
    if not on_kernels(x):
        return plain_rotate(x, cosine, sine)
    turned: Tensor = Turned.apply(x, cosine, sine)  # type: ignore[no-untyped-call]
    return turned


def plain_rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """`rotate` in torch's operations."""
    first, second = x.chunk(2, dim=-1)
    turned = torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)
    return turned.to(x.dtype)


class Turned(torch.autograd.Function):
    """`rotate` on our kernels; its gradient is turned back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        from models_zoo.llm.cuda.kernels import training

        ctx.save_for_backward(cosine, sine)
        return training.turn(x, cosine.contiguous(), sine.contiguous(), 1.0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        from models_zoo.llm.cuda.kernels import training

        cosine, sine = ctx.saved_tensors
        return training.turn(gradient, cosine.contiguous(), sine.contiguous(), -1.0), None, None
