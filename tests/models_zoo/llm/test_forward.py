"""One forward pass over a ragged batch: whatever shares it, each sequence reads as it does alone."""

import shutil

import pytest
import torch

from models_zoo.llm.batch import Segment
from models_zoo.llm.decoder import Decoder
from models_zoo.llm.native import processor_features
from models_zoo.llm.paged import PagedCache, bytes_per_block
from tests.models_zoo.llm.tiny import CONFIG, TinyBase, in_transformers

NEAR = 0.02  # bfloat16 keys, values and few-row products
BLOCK = 16


def relative(value: torch.Tensor, expected: torch.Tensor) -> float:
    return float((value - expected).norm() / expected.norm())


def ids(length: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, CONFIG.vocabulary, (length,), generator=generator).tolist()


def fresh_cache(blocks: int = 12) -> PagedCache:
    return PagedCache(CONFIG, blocks, BLOCK, torch.device("cpu"))


@pytest.fixture(params=["decoder", "portable"])
def either(request: pytest.FixtureRequest) -> Decoder:
    """On our own kernels, and on torch's."""
    decoder: Decoder = request.getfixturevalue(request.param)
    return decoder


@pytest.fixture(scope="module")
def oracle(base: TinyBase) -> torch.nn.Module:
    return in_transformers(base)


@torch.inference_mode()
def expected(oracle: torch.nn.Module, tokens: list[int]) -> torch.Tensor:
    return oracle.model(input_ids=torch.tensor([tokens])).last_hidden_state[0]


@torch.inference_mode()
def test_it_works(either: Decoder, oracle: torch.nn.Module) -> None:
    prompt = ids(40)
    hidden = either.forward([Segment(prompt, blocks=[3, 1, 7])], fresh_cache(), None)
    assert hidden.shape == (40, CONFIG.hidden_size)
    assert hidden.dtype == torch.float32
    assert relative(hidden, expected(oracle, prompt)) < NEAR
    logits = either.logits(hidden)
    assert relative(logits, oracle(torch.tensor([prompt])).logits[0]) < NEAR


@torch.inference_mode()
@pytest.mark.parametrize("cuts", [(40,), (1, 39), (16, 16, 8), (7, 9, 1, 1, 22), (1,) * 40])
def test_chunks_and_single_tokens_read_as_the_whole(
    either: Decoder, oracle: torch.nn.Module, cuts: tuple[int, ...]
) -> None:
    prompt, cache, start, rows = ids(40, seed=1), fresh_cache(), 0, []
    for length in cuts:
        piece = Segment(prompt[start : start + length], start=start, blocks=[5, 0, 11])
        rows.append(either.forward([piece], cache, None))
        start += length
    assert relative(torch.cat(rows), expected(oracle, prompt)) < NEAR


@torch.inference_mode()
def test_prompts_chunks_decodes_and_whole_texts_share_a_batch(
    either: Decoder, oracle: torch.nn.Module
) -> None:
    cache = fresh_cache()
    first, second, third, text = ids(35, 2), ids(18, 3), ids(50, 4), ids(21, 5)
    either.forward([Segment(first[:34], blocks=[0, 1, 2]), Segment(third[:20], blocks=[8, 9])], cache, None)
    segments = [
        Segment(first[34:], start=34, blocks=[0, 1, 2]),
        Segment(second, blocks=[4, 3]),
        Segment(text, bidirectional=True),
        Segment(third[20:], start=20, blocks=[8, 9, 10, 11]),
        Segment(text),
    ]
    parts = either.forward(segments, cache, None).split([len(segment.tokens) for segment in segments])
    assert relative(parts[0], expected(oracle, first)[34:]) < NEAR
    assert relative(parts[1], expected(oracle, second)) < NEAR
    assert relative(parts[3], expected(oracle, third)[20:]) < NEAR
    assert relative(parts[4], expected(oracle, text)) < NEAR
    mask = torch.zeros(1, 1, len(text), len(text))
    both_ways = oracle.model(input_ids=torch.tensor([text]), attention_mask=mask).last_hidden_state[0]
    assert relative(parts[2], both_ways) < NEAR
    assert relative(parts[2], parts[4]) > 0.1  # the control: direction matters


@torch.inference_mode()
def test_a_copied_block_carries_its_tokens(either: Decoder, oracle: torch.nn.Module) -> None:
    prompt, cache = ids(30, seed=6), fresh_cache()
    either.forward([Segment(prompt[:20], blocks=[0, 1])], cache, None)
    cache.copy([(1, 6)])
    either.forward([Segment(ids(10, seed=7), start=20, blocks=[0, 1])], cache, None)  # the other goes its way
    hidden = either.forward([Segment(prompt[20:], start=20, blocks=[0, 6])], cache, None)
    assert relative(hidden, expected(oracle, prompt)[20:]) < NEAR


@torch.inference_mode()
def test_a_block_table_needs_a_cache(either: Decoder) -> None:
    with pytest.raises(ValueError, match="blocks"):
        either.forward([Segment([5], blocks=[0])], None, None)


def test_a_fresh_cache_is_zero_and_tells_its_size() -> None:
    """What is masked still gets multiplied: NaN in memory never written made every reply nonsense."""
    for dtype in (torch.float32, torch.bfloat16):
        cache = PagedCache(CONFIG, 4, BLOCK, torch.device("cpu"), dtype)
        assert not cache.data.any()
        assert cache.data.nbytes == 4 * cache.block_bytes == 4 * bytes_per_block(CONFIG, BLOCK, dtype)


def test_our_kernels_are_in_use_where_they_can_be(decoder: Decoder, portable: Decoder) -> None:
    can = "avx512_vnni" in processor_features() and shutil.which("g++") is not None
    assert (decoder.native is not None) == can
    assert portable.native is None


@torch.inference_mode()
def test_batch_mates_and_chunks_change_no_bit(decoder: Decoder) -> None:
    if decoder.native is None:
        pytest.skip("torch's products depend on the batch")
    prompt, cache = ids(45, seed=8), fresh_cache()
    alone = decoder.forward([Segment(prompt, blocks=[0, 1, 2])], cache, None)
    mates = [Segment(ids(9, seed), bidirectional=seed % 2 == 0) for seed in range(5)]
    first = decoder.forward([*mates, Segment(prompt[:21], blocks=[5, 4, 6])], cache, None)[45:]
    second = decoder.forward([Segment(prompt[21:], start=21, blocks=[5, 4, 6]), *mates], cache, None)[:24]
    assert torch.equal(torch.cat([first, second]), alone)


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        (Segment([CONFIG.vocabulary], blocks=[0]), "tokens: expected ids below 320"),
        (Segment([5] * 20, blocks=[0]), "blocks has 1 blocks, too few for 20 tokens"),
        (Segment([5], blocks=[12]), "blocks: expected block numbers below 12"),
        (Segment([5], start=512, blocks=list(range(12)) * 4), "position 512 is beyond the context"),
        (Segment([5], start=3), "start is 3, expected 0"),
    ],
)
def test_what_would_read_foreign_memory_is_refused(decoder: Decoder, segment: Segment, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decoder.forward([segment], fresh_cache(), None)
