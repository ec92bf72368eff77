"""How far gradients through a resident matrix are from float32's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models_zoo.llm.linear import Matrix
from models_zoo.llm.training.functions import LoraProduct


@dataclass(slots=True, frozen=True)
class GradientError:
    """Relative errors (of the Frobenius norm) of the output and of the gradients of x, A and B."""

    output: float
    dx: float
    da: float
    db: float


def gradient_error(
    matrix: Matrix, rows: int = 128, rank: int = 16, dtype: torch.dtype = torch.float32
) -> GradientError:
    """Of `LoraProduct` over `matrix` in the compute type, against float32 autograd over the same weights
    dequantized, on random x [rows, columns], A, B and gradient."""
    weight = matrix.dense().float()
    random = torch.Generator().manual_seed(0)

    def drawn(height: int, width: int, scale: float = 1.0) -> Tensor:
        return (torch.randn(height, width, generator=random) * scale).to(weight.device)

    x, gradient = drawn(rows, matrix.columns).to(dtype), drawn(rows, matrix.rows).to(dtype)
    a, b = drawn(rank, matrix.columns, 0.05), drawn(matrix.rows, rank, 0.05)
    ours = [value.clone().requires_grad_() for value in (x, a, b)]
    whole = (slice(0, matrix.rows),)
    narrow = [value.to(dtype) for value in ours]
    product = LoraProduct.apply(narrow[0], None, matrix, "", whole, 2.0, *narrow[1:])  # type: ignore[no-untyped-call]
    product.backward(gradient.to(product.dtype))
    plain = [value.float().clone().requires_grad_() for value in (x, a, b)]
    expected = plain[0] @ weight.t() + 2.0 * (plain[0] @ plain[1].t()) @ plain[2].t()
    expected.backward(gradient.float())  # type: ignore[no-untyped-call]
    pairs = [
        (product, expected),
        *((mine.grad, theirs.grad) for mine, theirs in zip(ours, plain, strict=True)),
    ]
    return GradientError(*(_relative(found, wanted) for found, wanted in pairs))


def _relative(found: Tensor | None, wanted: Tensor | None) -> float:
    if found is None or wanted is None:
        raise ValueError("gradient: none was made, expected one for each input")
    return float((found.detach().float() - wanted.detach()).norm() / wanted.detach().norm())
