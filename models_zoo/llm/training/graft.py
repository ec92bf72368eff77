"""Trainable parts on the frozen base: the LoRA parameters, and the products and losses autograd needs help
with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models_zoo.llm.card import BaseConfig
from models_zoo.llm.linear import Matrix
from models_zoo.llm.lora import PARTS, target_shape
from models_zoo.llm.training.spec import TrainSpec

ANSWER_ROWS = 256  # rows whose logits exist at once


class FrozenProduct(torch.autograd.Function):
    """x [M, in] -> x W^T [M, out] for a frozen matrix, quantized or not: the weight is dequantized again for
    the gradient instead of being kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Matrix) -> Tensor:
        ctx.matrix = matrix
        return matrix(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        weight = ctx.matrix.dense()
        return gradient.to(weight.dtype) @ weight, None


class AnswerLoss(torch.autograd.Function):
    """Mean cross-entropy of hidden [M, H] against targets [M] over the frozen head, a few rows at a time.

    The gradient is made in the forward pass, so that no [M, vocabulary] tensor is ever kept.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, targets: Tensor, head: Matrix, smoothing: float) -> Tensor:
        weight = head.dense()
        gradient = torch.empty_like(hidden)
        total = hidden.new_zeros(())
        for start in range(0, len(hidden), ANSWER_ROWS):
            rows = slice(start, start + ANSWER_ROWS)
            loss, slope = _cross_entropy(hidden[rows].to(weight.dtype) @ weight.t(), targets[rows], smoothing)
            total += loss
            gradient[rows] = (slope.to(weight.dtype) @ weight) / len(hidden)
        ctx.save_for_backward(gradient)
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (saved,) = ctx.saved_tensors
        return saved * gradient, None, None, None


def _cross_entropy(logits: Tensor, targets: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Summed loss of logits [m, V], and its gradient [m, V]."""
    log_probability = logits.float().log_softmax(dim=-1)
    wanted = torch.zeros_like(log_probability).fill_(smoothing / logits.shape[-1])
    wanted.scatter_add_(1, targets[:, None], torch.full_like(wanted[:, :1], 1.0 - smoothing))
    return -(wanted * log_probability).sum(), log_probability.exp_().sub_(wanted)


class LoraParameters(nn.Module):
    """Trainable A and B of every adapted linear, float32, applied in the decoder's compute type.

    The A of fused targets are one parameter [parts * rank, in]; each target has its B [out, rank], zero at
    first.
    """

    def __init__(self, config: BaseConfig, spec: TrainSpec, device: torch.device) -> None:
        super().__init__()
        self.rank = spec.rank
        self.scale = spec.alpha / spec.rank
        self.dropout = spec.dropout
        first = 0 if spec.last_layers is None else max(0, config.layers - spec.last_layers)
        self.layers = tuple(range(first, config.layers))
        self.targets = {name: tuple(t for t in parts if t in spec.targets) for name, parts in PARTS.items()}
        self.sizes = {target: target_shape(config, target)[0] for parts in PARTS.values() for target in parts}
        self.a = nn.ParameterDict()
        self.b = nn.ParameterDict()
        for layer in self.layers:
            for targets in self.targets.values():
                if targets:
                    self._create(config, layer, targets, device)

    def _create(self, config: BaseConfig, layer: int, targets: tuple[str, ...], device: torch.device) -> None:
        columns = target_shape(config, targets[0])[1]
        start = torch.empty(len(targets) * self.rank, columns)
        nn.init.kaiming_uniform_(start, a=math.sqrt(5))
        self.a[f"{layer}_{targets[0]}"] = nn.Parameter(start.to(device))
        for target in targets:
            self.b[f"{layer}_{target}"] = nn.Parameter(
                torch.zeros(self.sizes[target], self.rank, device=device)
            )

    def project(self, layer: int, name: str, matrix: Matrix, x: Tensor) -> Tensor:
        """The decoder's projection with this adapter grafted on."""
        product: Tensor = FrozenProduct.apply(x, matrix)  # type: ignore[no-untyped-call]
        targets = self.targets[name]
        if not targets or layer not in self.layers:
            return product
        a = self.a[f"{layer}_{targets[0]}"].to(x.dtype)
        dropped = F.dropout(x, self.dropout, self.training)
        shrunk = dict(zip(targets, ((dropped @ a.t()) * self.scale).split(self.rank, dim=1), strict=True))
        deltas = [self._delta(layer, target, shrunk.get(target), product) for target in PARTS[name]]
        return product + (deltas[0] if len(deltas) == 1 else torch.cat(deltas, dim=1))

    def _delta(self, layer: int, target: str, shrunk: Tensor | None, product: Tensor) -> Tensor:
        if shrunk is None:
            return product.new_zeros(product.shape[0], self.sizes[target])
        expand: Tensor = self.b[f"{layer}_{target}"]
        return shrunk @ expand.to(shrunk.dtype).t()

    def matrices(self) -> Iterator[tuple[int, str, Tensor, Tensor]]:
        """(layer, target, A [rank, in], B [out, rank]) of every adapted linear."""
        for layer in self.layers:
            for targets in self.targets.values():
                for index, target in enumerate(targets):
                    start = index * self.rank
                    a = self.a[f"{layer}_{targets[0]}"][start : start + self.rank]
                    yield layer, target, a.detach(), self.b[f"{layer}_{target}"].detach()
