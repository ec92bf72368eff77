"""The decoder against transformers, which shares no code with it."""

import pytest
import torch

from models_zoo.llm import linear
from models_zoo.llm.attention import (
    BidirectionalAttention,
    CausalAttention,
)
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.linear import BlockMatrix
from tests.models_zoo.llm.tiny import CONFIG, TinyBase, in_transformers, make_base

EXACT = 2e-5  # float32 products in another order
NATIVE = 1e-3  # activations in 16 bits per group
INT4 = 0.03  # bfloat16 in and out of the packed product


def relative(value: torch.Tensor, expected: torch.Tensor) -> float:
    return float((value - expected).norm() / expected.norm())


def tokens(batch: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(3, CONFIG.vocabulary, (batch, length), generator=torch.Generator().manual_seed(seed))


def positions(ids: torch.Tensor) -> torch.Tensor:
    return torch.arange(ids.shape[1]).expand(ids.shape)


@torch.inference_mode()
def test_it_works(base: TinyBase, decoder: Decoder) -> None:
    ids = tokens(2, 64)
    hidden = decoder.hidden(ids, positions(ids), CausalAttention())
    logits = decoder.logits(hidden.flatten(0, 1))
    assert relative(logits, in_transformers(base)(ids).logits.flatten(0, 1)) < NATIVE


@torch.inference_mode()
def test_without_our_kernels_many_rows_are_exact(base: TinyBase, portable: Decoder) -> None:
    ids = tokens(2, 64)  # 128 rows: the dequantizing path
    hidden = portable.hidden(ids, positions(ids), CausalAttention())
    logits = hidden.flatten(0, 1) @ portable.head.dense().t()
    expected = in_transformers(base)(ids).logits.flatten(0, 1)
    assert relative(logits, expected) < EXACT


@torch.inference_mode()
def test_without_our_kernels_few_rows_go_through_the_packed_product(
    base: TinyBase, portable: Decoder
) -> None:
    ids = tokens(1, 20)
    logits = portable.logits(portable.hidden(ids, positions(ids), CausalAttention())[0])
    error = relative(logits, in_transformers(base)(ids).logits[0])
    assert 1e-4 < error < INT4  # the lower bound: it really is the packed product


@torch.inference_mode()
def test_dense_bfloat16_form_agrees(base: TinyBase) -> None:
    ids = tokens(2, 20)
    dense = load_decoder(base.folder, form="bfloat16")
    logits = dense.logits(dense.hidden(ids, positions(ids), CausalAttention()).flatten(0, 1))
    assert relative(logits, in_transformers(base)(ids).logits.flatten(0, 1)) < INT4


@torch.inference_mode()
def test_bidirectional_sees_the_right_and_no_padding(base: TinyBase, portable: Decoder) -> None:
    ids = tokens(2, 60)
    keep = torch.ones_like(ids, dtype=torch.bool)
    keep[1, 40:] = False
    hidden = portable.hidden(ids, positions(ids), BidirectionalAttention(keep, torch.float32))
    mask = torch.zeros(2, 1, 60, 60).masked_fill(~keep[:, None, None], float("-inf"))
    expected = in_transformers(base).model(input_ids=ids, attention_mask=mask).last_hidden_state
    assert relative(hidden[keep], expected[keep]) < EXACT
    alone = ids[1:, :40].repeat(3, 1)  # enough rows for the exact path
    same = portable.hidden(alone, positions(alone), BidirectionalAttention(alone > 0, torch.float32))
    assert relative(hidden[1, :40], same[0]) < EXACT


@torch.inference_mode()
def test_without_a_working_kernel_it_dequantizes(
    base: TinyBase, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = make_base(tmp_path_factory.mktemp("fallback") / "tiny")
    wrong = lambda matrix: (_ for _ in ()).throw(RuntimeError("no kernel"))  # noqa: E731
    monkeypatch.setattr("models_zoo.llm.packed.to_int4pack", wrong)
    monkeypatch.setattr(linear, "FAST_DEQUANTIZE", False)
    decoder = load_decoder(fresh.folder, native=False)
    matrix = decoder.layers[0].qkv
    assert isinstance(matrix, BlockMatrix)
    assert matrix.packed is None
    ids = tokens(1, 20)
    hidden = decoder.hidden(ids, positions(ids), CausalAttention())
    assert relative(decoder.logits(hidden[0]), in_transformers(base)(ids).logits[0]) < EXACT
    assert not list(fresh.folder.glob("packed/*"))
