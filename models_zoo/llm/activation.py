"""The gate of the decoder's feed-forward part (Shazeer, 2020)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models_zoo.llm.devices import on_kernels


class Gated(torch.autograd.Function):
    """See `gate`; keeps its input alone for the gradient."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        if on_kernels(gate_up):
            from models_zoo.llm.cuda.kernels import training

            return training.gate(gate_up)
        return plain_gate(gate_up)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        if on_kernels(gate_up):
            from models_zoo.llm.cuda.kernels import training

            return training.gate_slope(gate_up, gradient)
        return plain_slope(gate_up, gradient)


def gate(gate_up: Tensor) -> Tensor:
    """gate|up [M, 2 I], contiguous -> silu(gate) * up [M, I]."""
    gated: Tensor = Gated.apply(gate_up)  # type: ignore[no-untyped-call]
    return gated


def plain_gate(gate_up: Tensor) -> Tensor:
    """`gate` in torch's operations."""
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate).mul_(up)


def plain_slope(gate_up: Tensor, gradient: Tensor) -> Tensor:
    """The gradient of gate_up [M, 2 I] from that of `gate` [M, I]."""
    gate, up = gate_up.chunk(2, dim=-1)
    both = torch.empty_like(gate_up)
    to_gate, to_up = both.chunk(2, dim=-1)
    torch.mul(gradient, F.silu(gate), out=to_up)
    to_gate.copy_(torch.ops.aten.silu_backward(gradient * up, gate))
    return both
