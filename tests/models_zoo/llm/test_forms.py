"""8-bit and mixed bases, resident: the same answers as the model that they were made from."""

from pathlib import Path
from typing import Any

import pytest
import torch

from models_zoo.llm.batch import Segment
from models_zoo.llm.convert import convert
from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.format import BaseFile
from models_zoo.llm.forms import FUSED, MixedLinear, fused, linear
from models_zoo.llm.native import library
from models_zoo.llm.panels import PanelMatrix
from models_zoo.llm.quantize import quantize, quantize_mixed
from tests.models_zoo.llm.sources import Kind, gguf_file, hf_folder, llama

FEW, MANY = 24, 120  # rows, for the packed products and for the dequantizing ones


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return llama()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, model: torch.nn.Module) -> Path:
    return hf_folder(tmp_path_factory.mktemp("forms") / "hf", model)


def ids(count: int) -> list[int]:
    return torch.randint(3, 320, (count,), generator=torch.Generator().manual_seed(1)).tolist()


@torch.inference_mode()
def error(base: Path, model: torch.nn.Module, count: int, **options: Any) -> float:
    decoder = load_decoder(base, **options)
    logits = decoder.logits(decoder.forward([Segment(ids(count))], None, None))
    expected = model(torch.tensor([ids(count)])).logits[0]
    return float((logits.float() - expected).norm() / expected.norm())


@pytest.mark.parametrize("count", [FEW, MANY])
def test_eight_bits_answer_as_the_source_does(
    source: Path, model: torch.nn.Module, tmp_path: Path, count: int
) -> None:
    convert(source, tmp_path / "base", "int8")
    assert error(tmp_path / "base", model, count) < 0.04
    assert error(tmp_path / "base", model, count, form="bfloat16") < 0.04


@pytest.mark.parametrize("count", [1, FEW, MANY])
def test_eight_bits_run_on_our_own_kernels_where_they_fit(tmp_path: Path, count: int) -> None:
    wide = llama(2, head_dim=32)
    convert(hf_folder(tmp_path / "hf", wide), tmp_path / "base", "int8")
    decoder = load_decoder(tmp_path / "base")
    native, torchs = (error(tmp_path / "base", wide, count, native=native) for native in (True, False))
    assert native < 0.04
    assert torchs < 0.06
    if decoder.native is not None:
        assert native <= torchs or count >= MANY
        assert list((tmp_path / "base" / "packed").glob("*.safetensors"))  # and are shared


@pytest.mark.parametrize("count", [FEW, MANY])
def test_mixed_is_nearer_than_int4(source: Path, model: torch.nn.Module, tmp_path: Path, count: int) -> None:
    for form in ("int4", "mixed"):
        convert(source, tmp_path / form, form, 0.5)  # type: ignore[arg-type]
    assert error(tmp_path / "mixed", model, count) < error(tmp_path / "int4", model, count)
    dense = error(tmp_path / "mixed", model, count, form="bfloat16")
    assert dense == pytest.approx(error(tmp_path / "mixed", model, count), rel=0.3)


@pytest.mark.parametrize("count", [1, FEW, MANY])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixed_runs_on_our_own_products_and_is_shared(tmp_path: Path, count: int, share: float) -> None:
    wide = llama(2, head_dim=32)
    convert(hf_folder(tmp_path / "hf", wide), tmp_path / "base", "mixed", share)
    if library(tmp_path / "base" / "packed") is None:
        pytest.skip("this machine has no kernels of our own")
    decoder = load_decoder(tmp_path / "base")
    assert isinstance(decoder.layers[0].qkv, PanelMatrix)
    assert decoder.native is not None
    assert error(tmp_path / "base", wide, count) <= 1.05 * error(tmp_path / "base", wide, count, native=False)
    (packed,) = (tmp_path / "base" / "packed").glob("*.safetensors")
    made = packed.stat().st_mtime_ns
    again = load_decoder(tmp_path / "base")
    assert packed.stat().st_mtime_ns == made
    file = BaseFile(tmp_path / "base", again.card)
    for name in FUSED:
        assert torch.equal(getattr(again.layers[1], name).dense(), fused(file, 1, name).dequantize())


def test_forms_may_differ_within_a_fused_product(model: Any, tmp_path: Path) -> None:
    source = gguf_file(tmp_path / "in.gguf", model, (Kind.Q8_0, Kind.Q4_1, Kind.Q8_0))
    convert(source, tmp_path / "base")
    assert error(tmp_path / "base", model, FEW) < 0.2


@pytest.mark.parametrize("rows", [3, FEW, MANY])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_mixed_product_keeps_the_order_of_its_rows(rows: int, share: float) -> None:
    weight = torch.randn(100, 64, generator=torch.Generator().manual_seed(0))
    x = torch.randn(rows, 64, generator=torch.Generator().manual_seed(1))
    matrix = quantize_mixed(weight, share)
    resident = linear(matrix)
    assert torch.equal(resident.dense(), matrix.dequantize())
    expected = x @ matrix.dequantize().t()
    assert float((resident(x) - expected).norm() / expected.norm()) < 0.02
    assert isinstance(resident, MixedLinear) is (share == 0.3)


def test_gradients_pass_a_mixed_product() -> None:
    """Training grafts onto it as onto any other."""
    from models_zoo.llm.training.functions import FrozenProduct

    matrix = quantize(torch.randn(64, 32, generator=torch.Generator().manual_seed(0)), "mixed", 0.25)
    x = torch.randn(5, 32, requires_grad=True)
    FrozenProduct.apply(x, linear(matrix), "down").sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad, matrix.dequantize().sum(dim=0).expand(5, -1), atol=1e-4)
