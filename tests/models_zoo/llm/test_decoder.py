"""The decoder against transformers, which shares no code with it."""

import pytest
import torch

from models_zoo.llm import linear
from models_zoo.llm.attention import (
    BidirectionalAttention,
    CausalAttention,
    DecodeAttention,
    KeyValueCache,
    PrefillAttention,
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
@pytest.mark.parametrize("lengths", [(7,), (7, 3, 12), (1, 5)])
def test_prefill_then_decode_equals_reading_at_once(decoder: Decoder, lengths: tuple[int, ...]) -> None:
    cache = KeyValueCache(CONFIG, slots=4, length=40, dtype=torch.float32, device=torch.device("cpu"))
    ids = tokens(len(lengths), 16, seed=1)
    start = torch.tensor(lengths)
    slots = list(range(len(lengths)))
    longest = max(lengths)
    prompt = ids[:, :longest]
    decoder.hidden(prompt, positions(prompt), PrefillAttention(cache, slots, list(lengths)))
    for step in range(4):
        place = start + step
        new = ids[torch.arange(len(lengths)), place][:, None]
        hidden = decoder.hidden(new, place[:, None], DecodeAttention(cache, place))
        for row, end in enumerate(place.tolist()):
            whole = ids[row : row + 1, : end + 1]
            expected = decoder.hidden(whole, positions(whole), CausalAttention())[0, -1]
            assert relative(hidden[row, 0], expected) < 0.02


def test_a_fresh_cache_is_zero() -> None:
    """What is masked still gets multiplied: NaN in memory never written made every reply nonsense."""
    for dtype in (torch.float32, torch.bfloat16):
        cache = KeyValueCache(CONFIG, slots=2, length=20, dtype=dtype, device=torch.device("cpu"))
        assert not cache.keys.any()
        assert not cache.values.any()


@torch.inference_mode()
def test_moving_a_slot_keeps_its_sequence(decoder: Decoder) -> None:
    cache = KeyValueCache(CONFIG, slots=2, length=20, dtype=torch.float32, device=torch.device("cpu"))
    ids = tokens(2, 9)
    decoder.hidden(ids[:, :8], positions(ids[:, :8]), PrefillAttention(cache, [0, 1], [8, 8]))
    at = torch.tensor([8])
    before = decoder.hidden(ids[1:, 8:], at[:, None].expand(1, 1), _decode_second(cache))
    cache.move(1, 0, 8)
    after = decoder.hidden(ids[1:, 8:], at[:, None], DecodeAttention(cache, at))
    assert relative(after, before) < 1e-6


def _decode_second(cache: KeyValueCache) -> DecodeAttention:
    """Decoding slot 1 alone: a view of the cache that begins there."""
    view = KeyValueCache.__new__(KeyValueCache)
    view.keys, view.values = cache.keys[:, 1:], cache.values[:, 1:]
    return DecodeAttention(view, torch.tensor([8]))


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
    assert not (fresh.folder / "packed").exists()
