"""Quantizers: how near they stay, what they keep exactly, and that rows stack whatever their form."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models_zoo.llm.quant import MixedMatrix, Q4Matrix, Q8Matrix, QuantizedMatrix, stack_rows
from models_zoo.llm.quantize import (
    Origin,
    quantize,
    quantize_int4,
    quantize_int4_range,
    quantize_int8,
    quantize_mixed,
)


def weights(seed: int, rows: int, groups: int, tail: float = 0.0, size: float = 1.0) -> torch.Tensor:
    """Normal weights; `tail` turns some into outliers."""
    random = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, groups * 32, generator=random)
    outliers = torch.rand(weight.shape, generator=random) < 0.02
    return (weight + outliers * tail * weight.sign()) * size


def squared_error(weight: torch.Tensor, matrix: QuantizedMatrix) -> float:
    return float((matrix.dequantize() - weight).square().sum() / weight.square().sum())


@pytest.mark.parametrize("tail", [0.0, 4.0])
def test_the_search_beats_the_range(tail: float) -> None:
    weight = weights(0, 64, 8, tail)
    searched, plain = quantize_int4(weight), quantize_int4_range(weight)
    assert squared_error(weight, searched) < 0.9 * squared_error(weight, plain)


def test_what_moved_little_is_kept_on_average() -> None:
    """A tenth of a step: the nearest point is the old one for all but those that the search rescales."""
    grid = quantize_int4(weights(1, 64, 8))
    step = grid.scale.float().repeat_interleave(32, dim=1)
    old, inner = grid.dequantize(), (grid.codes() > 0) & (grid.codes() < 15)
    moved = old + 0.1 * step
    kept = quantize_int4(moved, Origin(grid, seed=7))
    assert torch.equal(kept.scale, grid.scale)
    assert float(((kept.dequantize() - old) / step)[inner].mean()) == pytest.approx(0.1, abs=0.01)
    assert torch.equal(quantize_int4(moved, Origin(grid, seed=7)).nibbles, kept.nibbles)
    assert torch.equal(quantize_int4(old, Origin(grid, seed=7)).dequantize(), old)


def test_what_moved_far_gets_a_grid_of_its_own() -> None:
    grid = quantize_int4(weights(1, 8, 4))
    moved = grid.dequantize()
    moved[0, :32] *= 3
    moved[1, 32:64] = 0.25
    found = quantize_int4(moved, Origin(grid, seed=7))
    assert float((found.dequantize() - moved)[:2].square().sum() / moved[:2].square().sum()) < 0.01
    still = Q4Matrix(grid.nibbles, torch.zeros_like(grid.scale), grid.minimum)  # had but one value
    assert squared_error(moved, quantize_int4(moved, Origin(still, seed=7))) < 0.01


shapes = st.tuples(st.integers(0, 99), st.integers(1, 9), st.integers(1, 3))
sizes = st.sampled_from([1e-5, 1e-3, 0.05, 1.0, 300.0])


@settings(max_examples=40, deadline=None)
@given(shapes, st.sampled_from([0.0, 3.0, 30.0]), sizes)
def test_no_group_is_further_off_than_half_a_step_of_the_range_allows(
    shape: tuple[int, int, int], tail: float, size: float
) -> None:
    weight = weights(*shape, tail, size)
    groups = weight.view(-1, 32)
    error = (quantize_int4(weight).dequantize() - weight).view(-1, 32).square().mean(dim=1)
    step = (groups.amax(dim=1) - groups.amin(dim=1)) / 15
    assert bool((error <= (step / 2 * 1.1).square() + 1e-14).all())


@settings(max_examples=40, deadline=None)
@given(shapes, sizes)
def test_eight_bits_are_within_half_a_step(shape: tuple[int, int, int], size: float) -> None:
    weight = weights(*shape, size=size)
    step = weight.view(-1, 32).abs().amax(dim=1) / 127
    error = (quantize_int8(weight).dequantize() - weight).view(-1, 32).abs().amax(dim=1)
    assert bool((error <= 0.6 * step + 127 * 6e-8).all())  # float16's rounding of the scale: 127 of its steps


@pytest.mark.parametrize("value", [0.0, 0.5, -3.0, 1e-9])
def test_constant_groups_stay_constant(value: float) -> None:
    weight = torch.full((3, 64), value)
    for matrix in (quantize_int4(weight), quantize_int4_range(weight)):
        assert torch.allclose(matrix.dequantize(), weight, atol=1e-7)
    assert torch.allclose(quantize_int8(weight).dequantize(), weight, rtol=1e-3, atol=1e-7)


def test_what_is_on_a_grid_already_stays_there() -> None:
    """Requantizing a 4-bit matrix loses nothing to speak of."""
    once = quantize_int4(weights(1, 32, 4))
    assert squared_error(once.dequantize(), quantize_int4(once.dequantize())) < 1e-5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 50), st.integers(1, 40), st.sampled_from([0.0, 0.1, 0.25, 1.0]))
def test_mixed_rows_are_the_worst_ones_in_eight_bits(seed: int, rows: int, share: float) -> None:
    weight = weights(seed, rows, 2) * torch.linspace(0.1, 3, rows)[:, None]
    mixed, coarse = quantize_mixed(weight, share), quantize_int4(weight)
    error = (coarse.dequantize() - weight).square().sum(dim=1)
    assert int(mixed.fine.sum()) == round(share * rows)
    if 0 < mixed.fine.sum() < rows:
        assert error[mixed.fine].min() >= error[~mixed.fine].max()
    expected = coarse.dequantize()
    expected[mixed.fine] = quantize_int8(weight[mixed.fine]).dequantize()
    assert torch.equal(mixed.dequantize(), expected)


forms = st.lists(st.sampled_from(["int4", "int8", "mixed"]), min_size=1, max_size=4)


@settings(max_examples=30, deadline=None)
@given(forms)
def test_rows_of_any_forms_stack_in_order(names: list[str]) -> None:
    parts = [quantize(weights(i, 3 + i, 2), name, 0.4) for i, name in enumerate(names)]  # type: ignore[arg-type]
    stacked = stack_rows(parts)
    assert torch.equal(stacked.dequantize(), torch.cat([part.dequantize() for part in parts]))
    assert (stacked.rows, stacked.columns) == (sum(part.rows for part in parts), 64)
    one = {Q4Matrix: ["int4"], Q8Matrix: ["int8"]}
    assert isinstance(stacked, MixedMatrix) or sorted(set(names)) == one[type(stacked)]
