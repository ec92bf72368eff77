"""Quantizers: float matrices into group-32 int4 by least squared error, int8, or rows of both.

The int4 search follows llama.cpp's `make_qkx2_quants`: several grids for every group of 32, codes by rounding,
then the scale and minimum that fit those codes best by least squares; the best of all is kept. Weights that
were dequantized and trained lie near the points of their old grid: rounding to the nearest would undo what was
learned, so they are rounded by chance, right on average (Gupta et al., 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from models_zoo.llm.quant import GROUP, MixedMatrix, Q4Matrix, Q8Matrix, QuantizedMatrix, stack_q4, stack_q8

Form = Literal["int4", "int8", "mixed"]

LEVELS = 15
ROWS_AT_ONCE = 4096  # of an 8-bit matrix: a vocabulary is large
# the grids tried: the range of a group divided into so many steps. Fewer than 15 leave codes unused at first
# (the fit spreads them), more cut off the ends
TRIED_STEPS = (13.0, 13.5, 14.0, 14.5, 15.5, 16.0, 16.5, 17.0, 17.5, 18.0, 19.0, 20.0)
REFINEMENTS = 3  # rounds of codes, then fit, from the best grid
GROUPS_AT_ONCE = 1 << 12  # half a megabyte a step of the search: it stays in the processor's cache
FINE_SHARE = 0.125  # of a mixed matrix's rows; docs/benchmarks.md, "Quantization", says what others give


@dataclass(slots=True, frozen=True)
class Origin:
    """What a matrix was before it was trained, in 4 bits; `seed` is of the rounding by chance."""

    grid: Q4Matrix
    seed: int


def quantize(
    weight: Tensor, form: Form, fine_share: float = FINE_SHARE, origin: Origin | None = None
) -> QuantizedMatrix:
    """A float32 matrix [rows, columns] in `form`; columns a multiple of 32, values within float16's range."""
    if form == "int4":
        return quantize_int4(weight, origin)
    return quantize_int8(weight) if form == "int8" else quantize_mixed(weight, fine_share, origin)


def quantize_int4(weight: Tensor, origin: Origin | None = None) -> Q4Matrix:
    """4-bit codes with the scale and minimum of least squared error found for every group of 32; with `origin`, on the
    grid of each group that has stayed near it."""
    if origin is None:
        return _by_groups(weight, _least_squares)
    chance = torch.Generator().manual_seed(origin.seed)
    pieces = zip(
        torch.split(weight, ROWS_AT_ONCE),
        torch.split(origin.grid.nibbles, ROWS_AT_ONCE),
        torch.split(origin.grid.scale, ROWS_AT_ONCE),
        torch.split(origin.grid.minimum, ROWS_AT_ONCE),
        strict=True,
    )
    return stack_q4([_near(part, Q4Matrix(*grid), chance) for part, *grid in pieces])


def _near(weight: Tensor, grid: Q4Matrix, chance: torch.Generator) -> Q4Matrix:
    """Codes of `grid`, the upper or the lower one of two with the chance that makes the mean right. A group in which
    something moved by more than a step, or that had but one value, gets a grid of its own."""
    columns = weight.reshape(-1, GROUP).t()
    scale, minimum = grid.scale.reshape(-1), grid.minimum.reshape(-1)
    steps = (columns - minimum.float()) * _inverse(scale.float())
    moved = (steps - grid.codes().reshape(-1, GROUP).t()).abs().amax(dim=0)
    codes = (steps + torch.rand(steps.shape, generator=chance)).floor().clamp(0, LEVELS).to(torch.uint8)
    nibbles, scale, minimum = _nibbles(codes), scale.clone(), minimum.clone()
    far = (moved > 1) | (scale == 0)
    if bool(far.any()):
        nibbles[far], scale[far], minimum[far] = _fitted(columns[:, far].t(), _least_squares)
    rows = weight.shape[0]
    return Q4Matrix(nibbles.view(rows, -1), scale.view(rows, -1), minimum.view(rows, -1))


def quantize_int4_range(weight: Tensor) -> Q4Matrix:
    """4-bit codes over every group's range from minimum to maximum: what `quantize_int4` is measured against."""
    return _by_groups(weight, _range)


def quantize_int8(weight: Tensor) -> Q8Matrix:
    """8-bit codes, one scale per 32 columns, as in GGUF's Q8_0."""
    parts = [_int8(part) for part in torch.split(weight, ROWS_AT_ONCE)]
    return parts[0] if len(parts) == 1 else stack_q8(parts)


def _int8(weight: Tensor) -> Q8Matrix:
    groups = weight.view(weight.shape[0], weight.shape[1] // GROUP, GROUP)
    scale = (groups.abs().amax(dim=-1) / 127).half()
    codes = (groups * _inverse(scale.float())[..., None]).round().clamp(-127, 127).to(torch.int8)
    return Q8Matrix(codes.view(weight.shape), scale)


def quantize_mixed(
    weight: Tensor, fine_share: float = FINE_SHARE, origin: Origin | None = None
) -> MixedMatrix:
    """The `fine_share` of the rows that 4 bits hurt most (squared error: rows of high variance or with
    outliers) in 8 bits, the rest in 4."""
    coarse = quantize_int4(weight, origin)
    error = (coarse.dequantize() - weight).square().sum(dim=1)
    fine = torch.zeros(weight.shape[0], dtype=torch.bool)
    fine[error.topk(round(fine_share * len(error))).indices] = True
    low = Q4Matrix(*(part[~fine] for part in (coarse.nibbles, coarse.scale, coarse.minimum)))
    return MixedMatrix(fine, low, quantize_int8(weight[fine]))


Fit = Callable[[Tensor], tuple[Tensor, Tensor]]


def _by_groups(weight: Tensor, fit: Fit) -> Q4Matrix:
    """Scale and minimum of every group by `fit`, a bounded number of groups at a time; codes by rounding."""
    nibbles, scale, minimum = _fitted(weight.reshape(-1, GROUP), fit)
    rows = weight.shape[0]
    return Q4Matrix(nibbles.view(rows, -1), scale.view(rows, -1), minimum.view(rows, -1))


def _fitted(groups: Tensor, fit: Fit) -> tuple[Tensor, Tensor, Tensor]:
    """Nibbles [G, 16], scale and minimum [G] of groups [G, 32]."""
    found = [_packed(part.t().contiguous(), fit) for part in torch.split(groups, GROUPS_AT_ONCE)]
    nibbles, scale, minimum = (torch.cat(parts) for parts in zip(*found, strict=True))
    return nibbles, scale, minimum


def _packed(columns: Tensor, fit: Fit) -> tuple[Tensor, Tensor, Tensor]:
    """Nibbles [G, 16], scale and minimum [G] of groups that stand in the columns of [32, G]."""
    scale, minimum = (part.half() for part in fit(columns))
    codes = _codes(columns, scale.float(), minimum.float()).to(torch.uint8)
    return _nibbles(codes), scale, minimum


def _nibbles(codes: Tensor) -> Tensor:
    """[G, 16] of codes uint8 [32, G]."""
    return (codes[: GROUP // 2] | (codes[GROUP // 2 :] << 4)).t().contiguous()


def _range(columns: Tensor, steps: float = LEVELS) -> tuple[Tensor, Tensor]:
    """scale, minimum [G]: the range of each column of [32, G] in `steps`, the codes centred on it."""
    low, high = columns.amin(dim=0), columns.amax(dim=0)
    scale = (high - low) / steps
    return scale, (low + high - LEVELS * scale) / 2


def _least_squares(columns: Tensor) -> tuple[Tensor, Tensor]:
    """The best scale and minimum [G] found for the columns of [32, G]."""
    centre = columns.mean(dim=0)
    centred = columns - centre
    best = _fit(centred, *_range(centred))
    for steps in TRIED_STEPS:
        best = _better(_fit(centred, *_range(centred, steps)), best)
    for _ in range(REFINEMENTS):
        best = _better(_fit(centred, best[1], best[2]), best)
    return best[1], best[2] + centre


Fitted = tuple[Tensor, Tensor, Tensor]  # gain, scale, minimum, each [G]


def _fit(centred: Tensor, scale: Tensor, minimum: Tensor) -> Fitted:
    """The line through the codes that this grid gives to columns of mean zero.

    gain is by how much that line lowers the squared error below that of a constant.
    """
    codes = _codes(centred, scale, minimum)
    mean = codes.mean(dim=0)
    spread = codes.square().sum(dim=0) - GROUP * mean.square()
    together = (codes * centred).sum(dim=0)
    slope = torch.where(spread > 0.5, together / spread, torch.zeros_like(together))
    return slope * together, slope, -slope * mean


def _better(one: Fitted, other: Fitted) -> Fitted:
    nearer = one[0] > other[0]
    gain, scale, minimum = (torch.where(nearer, a, b) for a, b in zip(one, other, strict=True))
    return gain, scale, minimum


def _codes(columns: Tensor, scale: Tensor, minimum: Tensor) -> Tensor:
    return (columns - minimum).mul_(_inverse(scale)).round_().clamp_(0, LEVELS)


def _inverse(scale: Tensor) -> Tensor:
    return torch.where(scale == 0, torch.zeros_like(scale), 1 / scale)
