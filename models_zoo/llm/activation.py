"""The gate of the decoder's feed-forward part."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class Gated(torch.autograd.Function):
    """gate|up [M, 2 I] -> silu(gate) * up [M, I] (Shazeer, 2020); keeps its input alone for the gradient."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        gate, up = gate_up.chunk(2, dim=-1)
        both = torch.empty_like(gate_up)
        to_gate, to_up = both.chunk(2, dim=-1)
        torch.mul(gradient, F.silu(gate), out=to_up)
        to_gate.copy_(torch.ops.aten.silu_backward(gradient * up, gate))
        return both


def gate(gate_up: Tensor) -> Tensor:
    """`Gated`, called as a function."""
    gated: Tensor = Gated.apply(gate_up)  # type: ignore[no-untyped-call]
    return gated
