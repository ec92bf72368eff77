"""Training's elementwise kernels against torch's operations, forward and back."""

import pytest
import torch

from models_zoo.llm.activation import gate, plain_gate
from models_zoo.llm.norm import add_norm, plain_add_norm
from models_zoo.llm.rotary import plain_rotate, rotate

pytestmark = pytest.mark.gpu
NEAR = 1e-2  # bfloat16, rounded once here and more often there


def noise(*shape: int) -> torch.Tensor:
    values = torch.randn(shape, generator=torch.Generator("cuda").manual_seed(sum(shape)), device="cuda")
    return values.bfloat16().requires_grad_()


def near(found: torch.Tensor | None, expected: torch.Tensor | None) -> bool:
    assert found is not None
    assert expected is not None
    return bool((found.float() - expected.float()).norm() < NEAR * expected.float().norm())


@pytest.mark.parametrize(("rows", "width"), [(1, 96), (7, 1536), (130, 14336)])
def test_gate(rows: int, width: int) -> None:
    x, slope = noise(rows, 2 * width), noise(rows, width).detach()
    plain = x.detach().float().requires_grad_()
    found, expected = gate(x), torch.nn.functional.silu(plain[:, :width]) * plain[:, width:]
    found.backward(slope)
    expected.backward(slope.float())
    assert near(found, expected)
    assert near(plain_gate(x.detach()), expected)
    assert near(x.grad, plain.grad)


@pytest.mark.parametrize(("heads", "size"), [(32, 128), (9, 64), (3, 64), (2, 96)])
@pytest.mark.parametrize(("batch", "tokens"), [(1, 1), (1, 37), (3, 20)])
def test_turn(batch: int, tokens: int, heads: int, size: int) -> None:
    whole, slope = noise(batch, tokens, heads + 4, size), noise(batch, heads, tokens, size).detach()
    angle = torch.rand(batch, tokens, 1, size // 2, device="cuda") * 6
    plain = whole.detach().float().requires_grad_()
    found = rotate(whole[:, :, 1 : heads + 1], angle.cos(), angle.sin())
    expected = plain_rotate(plain[:, :, 1 : heads + 1], angle.cos(), angle.sin())
    found.transpose(1, 2).backward(slope)
    expected.transpose(1, 2).backward(slope.float())
    assert near(found, expected)
    assert near(whole.grad, plain.grad)


@pytest.mark.parametrize("shape", [(1, 1, 64), (2, 5, 576), (3, 7, 4096)])
@pytest.mark.parametrize("added", [True, False])
def test_add_norm(shape: tuple[int, ...], added: bool) -> None:
    x, delta, weight = (
        noise(*shape).detach().float(),
        noise(*shape, 1)[..., 0].detach(),
        noise(shape[-1]).detach(),
    )
    slopes = noise(3, *shape).detach()
    results = []
    for way, dtype in ((add_norm, torch.bfloat16), (plain_add_norm, torch.float32)):
        left, right = x.clone().requires_grad_(), delta.to(dtype, copy=True).requires_grad_()
        sum_, normed = way(left, right if added else None, weight.float(), 1e-5, dtype)
        assert normed.dtype == dtype
        (sum_ * slopes[0].float() + normed * slopes[1].float()).sum().backward()
        results.append((sum_, normed, left.grad, right.grad))
    for found, expected in zip(*results, strict=True):
        assert (found is None) == (expected is None)
        assert found is None or near(found, expected)
