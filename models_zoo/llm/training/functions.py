"""The products and losses that autograd needs help with: each keeps no more than its backward pass must have."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from models_zoo.llm.linear import Matrix
from models_zoo.llm.panels import PanelMatrix
from models_zoo.llm.training.again import product_once
from models_zoo.llm.training.pause import NEVER, Pause

ANSWER_ROWS = 256  # rows whose logits exist at once
_own = threading.local()


class Cast(torch.autograd.Function):
    """Parameters in another type, and their gradients back, in a few launches: an adapter has hundreds."""

    @staticmethod
    def forward(ctx: Any, dtype: torch.dtype, *parameters: Tensor) -> tuple[Tensor, ...]:
        ctx.dtypes = [parameter.dtype for parameter in parameters]
        casts = [torch.empty_like(parameter, dtype=dtype) for parameter in parameters]
        torch._foreach_copy_(casts, parameters)
        return tuple(casts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        pairs = zip(gradients, ctx.dtypes, strict=True)
        casts = [torch.empty_like(gradient, dtype=dtype) for gradient, dtype in pairs]
        torch._foreach_copy_(casts, gradients)
        return None, *casts


class LoraProduct(torch.autograd.Function):
    """x [M, in] -> x W^T + s (x A^T) B^T [M, out] over a frozen W, quantized or not (Hu et al., 2021).

    W is dequantized again for the gradient instead of being kept. dropped [M, in] is what the adapter reads, None
    when that is x itself. name: of the fused linear. a: [parts * rank, in] of its targets. b: of each target
    [rows, rank], which writes the rows of W that its slice in `rows` names. All in the compute type.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        dropped: Tensor | None,
        matrix: Matrix,
        name: str,
        rows: Sequence[slice],
        scale: float,
        a: Tensor,
        *b: Tensor,
    ) -> Tensor:
        read = x if dropped is None else dropped
        shrunk = (read @ a.t()).mul_(scale)

        def adapted() -> Tensor:
            product = frozen_product(x, matrix)
            for target, part, expand in zip(rows, shrunk.chunk(len(b), dim=1), b, strict=True):
                product[:, target].addmm_(part, expand.t())
            return product

        product = product_once(name, x, matrix, adapted)
        ctx.save_for_backward(read, shrunk, a, *b)
        ctx.matrix, ctx.rows, ctx.scale, ctx.is_dropped = matrix, rows, scale, dropped is not None
        return product

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        read, shrunk, a, *b = ctx.saved_tensors
        gradient = gradient.to(read.dtype)
        targets = [gradient[:, rows] for rows in ctx.rows]
        expanded = [of @ expand for of, expand in zip(targets, b, strict=True)]
        slope = torch.cat(expanded, dim=1).mul_(ctx.scale)
        to_b = [of.t() @ part for of, part in zip(targets, shrunk.chunk(len(b), dim=1), strict=True)]
        to_a = slope.t() @ read
        to_x = to_dropped = None
        if ctx.needs_input_grad[0]:
            to_x = gradient @ weight_for_now(ctx.matrix, gradient.dtype)
            if ctx.is_dropped:
                to_dropped = slope @ a
            else:
                to_x.addmm_(slope, a)
        return to_x, to_dropped, None, None, None, None, to_a, *to_b


class FrozenProduct(torch.autograd.Function):
    """x [M, in] -> x W^T [M, out] for a frozen matrix without an adapter."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Matrix, name: str) -> Tensor:
        ctx.matrix, ctx.dtype = matrix, x.dtype
        return product_once(name, x, matrix, lambda: frozen_product(x, matrix))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.to(ctx.dtype) @ weight_for_now(ctx.matrix, ctx.dtype), None, None


def frozen_product(x: Tensor, matrix: Matrix) -> Tensor:
    """x W^T as training computes it, in the type of x: on CUDA dequantized, also where serving would multiply in fp8,
    whose effect on what is learned has not been shown to be none."""
    if x.is_cuda or x.dtype != torch.float32:
        return x @ weight_for_now(matrix, x.dtype).t()
    return matrix(x)


def weight_for_now(matrix: Matrix, dtype: torch.dtype) -> Tensor:
    """W [rows, columns] in `dtype`, until this thread's next call: on CPU in memory that is used again, since memory
    fresh from the system costs as much as dequantizing into it."""
    if not isinstance(matrix, PanelMatrix):
        return matrix.dense().to(dtype)
    size = matrix.rows * matrix.columns
    scratch: Tensor | None = getattr(_own, "scratch", None)
    if scratch is None or scratch.numel() < size:
        scratch = _own.scratch = torch.empty(size)
    return matrix.dense_in(scratch).to(dtype)


class AnswerLoss(torch.autograd.Function):
    """Mean cross-entropy of hidden [M, H] against targets [M] over the frozen head, a few rows at a time.

    The gradient is made in the forward pass, so that no [M, vocabulary] tensor is ever kept. pause: called before
    each product.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, targets: Tensor, head: Matrix, smoothing: float, pause: Pause = NEVER
    ) -> Tensor:
        weight = head.dense()
        gradient = torch.empty_like(hidden)
        total = hidden.new_zeros((), dtype=torch.float32)
        for start in range(0, len(hidden), ANSWER_ROWS):
            pause()
            rows = slice(start, start + ANSWER_ROWS)
            logits = (hidden[rows].to(weight.dtype) @ weight.t()).float()
            total += _cross_entropy(logits, targets[rows], smoothing).sum()
            pause()
            gradient[rows] = (logits.to(weight.dtype) @ weight).div_(len(hidden))
        ctx.save_for_backward(gradient)
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        (saved,) = ctx.saved_tensors
        return saved * gradient, None, None, None, None


class AnswerLogProbs(torch.autograd.Function):
    """Log-probability [M] of each of targets [M] after hidden [M, H], by the frozen head, a few rows at a time.

    Like `AnswerLoss` it makes each row's gradient in the forward pass and keeps [M, H].
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, targets: Tensor, head: Matrix, pause: Pause = NEVER) -> Tensor:
        weight = head.dense()
        gradient = torch.empty_like(hidden)
        found = hidden.new_empty(len(hidden), dtype=torch.float32)
        for start in range(0, len(hidden), ANSWER_ROWS):
            pause()
            rows = slice(start, start + ANSWER_ROWS)
            logits = (hidden[rows].to(weight.dtype) @ weight.t()).float()
            found[rows] = -_cross_entropy(logits, targets[rows], 0.0)
            pause()
            gradient[rows] = -(logits.to(weight.dtype) @ weight)
        ctx.save_for_backward(gradient)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (saved,) = ctx.saved_tensors
        return saved * gradient[:, None], None, None, None


def _cross_entropy(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Each row's loss [m] of logits float32 [m, V], which become its gradient."""
    count, wanted = logits.shape[1], targets[:, None]
    loss = -(1.0 - smoothing) * logits.gather(1, wanted)[:, 0]
    if smoothing:
        loss -= smoothing / count * logits.sum(dim=1)
    largest = logits.amax(dim=-1, keepdim=True)
    mass = logits.sub_(largest).exp_().sum(dim=-1, keepdim=True)
    loss += (largest + mass.log())[:, 0]
    logits.div_(mass)
    if smoothing:
        logits.sub_(smoothing / count)
    logits.scatter_add_(1, wanted, logits.new_full(wanted.shape, smoothing - 1.0))
    return loss
