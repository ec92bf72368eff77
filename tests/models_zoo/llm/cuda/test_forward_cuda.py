"""The CUDA decoder against transformers in float32: chunks, steps, adapters, whatever shares a batch."""

import pytest
import torch

pytest.importorskip("triton")

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.batch import Segment
from models_zoo.llm.cuda.matrices import BFloat16Matrix
from models_zoo.llm.cuda.pack import pack
from models_zoo.llm.cuda.policy import TILE_ROWS, WIDE_FROM_ROWS
from models_zoo.llm.cuda.pool import StackedPool
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.lora import LoraWeights
from models_zoo.llm.paged import PagedCache
from tests.models_zoo.llm.tiny import CONFIG, TinyBase, in_transformers, make_adapter

pytestmark = pytest.mark.gpu
NEAR = {"int4": 0.02, "bfloat16": 0.02, "fp8": 0.13}  # of a random model: nothing averages out


def ids(length: int, seed: int = 0) -> list[int]:
    return torch.randint(
        3, CONFIG.vocabulary, (length,), generator=torch.Generator().manual_seed(seed)
    ).tolist()


@pytest.fixture(scope="module", params=["int4", "fp8", "bfloat16"])
def on_device(base: TinyBase, request: pytest.FixtureRequest) -> tuple[Decoder, float]:
    return load_decoder(base.folder, "cuda", request.param), NEAR[request.param]


@pytest.fixture(scope="module")
def oracle(base: TinyBase) -> torch.nn.Module:
    return in_transformers(base)


def relative(value: torch.Tensor, expected: torch.Tensor) -> float:
    assert torch.isfinite(value).all()
    return float((value.cpu() - expected).norm() / expected.norm())


@torch.inference_mode()
def expected(oracle: torch.nn.Module, tokens: list[int]) -> torch.Tensor:
    return oracle.model(input_ids=torch.tensor([tokens])).last_hidden_state[0]


def fresh_cache() -> PagedCache:
    return PagedCache(CONFIG, 12, 16, torch.device("cuda"))


@torch.inference_mode()
@pytest.mark.parametrize("cuts", [(40,), (1, 39), (7, 9, 1, 1, 22), (1,) * 40])
def test_chunks_and_single_tokens_read_as_the_whole(
    on_device: tuple[Decoder, float], oracle: torch.nn.Module, cuts: tuple[int, ...]
) -> None:
    decoder, near = on_device
    prompt, cache, start, rows = ids(40, 1), fresh_cache(), 0, []
    for length in cuts:
        piece = Segment(prompt[start : start + length], start=start, blocks=[5, 0, 11])
        rows.append(decoder.forward([piece], cache, None))
        start += length
    hidden = torch.cat(rows)
    assert relative(hidden, expected(oracle, prompt)) < near
    assert relative(decoder.logits(hidden), oracle(torch.tensor([prompt])).logits[0].detach()) < near


@torch.inference_mode()
def test_prompts_steps_and_whole_texts_share_a_batch(
    on_device: tuple[Decoder, float], oracle: torch.nn.Module
) -> None:
    decoder, near = on_device
    cache = fresh_cache()
    first, second, text = ids(35, 2), ids(18, 3), ids(21, 5)
    decoder.forward([Segment(first[:34], blocks=[0, 1, 2])], cache, None)
    segments = [
        Segment(first[34:], start=34, blocks=[0, 1, 2]),
        Segment(second, blocks=[4, 3]),
        Segment(text, bidirectional=True),
        Segment(text),
    ]
    parts = decoder.forward(segments, cache, None).split([len(segment.tokens) for segment in segments])
    mask = torch.zeros(1, 1, 21, 21)
    both = oracle.model(input_ids=torch.tensor([text]), attention_mask=mask).last_hidden_state[0]
    wanted = [expected(oracle, first)[34:], expected(oracle, second), both, expected(oracle, text)]
    assert all(relative(part, want) < near for part, want in zip(parts, wanted, strict=True))
    assert relative(parts[2], wanted[3]) > 0.1  # the control: direction matters


@pytest.fixture(scope="module")
def cpu(base: TinyBase) -> Decoder:
    """In float32, on torch's operations."""
    decoder = load_decoder(base.folder, form="bfloat16", native=False)
    decoder.dtype = torch.float32
    return decoder


@pytest.fixture(scope="module")
def weights(base: TinyBase, tmp_path_factory: pytest.TempPathFactory) -> list[LoraWeights]:
    """Of adapters of ranks 8, 16 and 24."""
    root = tmp_path_factory.mktemp("adapters")
    return [
        load_adapter(make_adapter(root / f"a{i}", base, seed=i, rank=rank), base.card).weights
        for i, rank in enumerate((8, 16, 24))
    ]


@torch.inference_mode()
def test_adapters_of_several_ranks_share_a_step(
    on_device: tuple[Decoder, float], cpu: Decoder, weights: list[LoraWeights]
) -> None:
    """Each row as on the CPU in float32; a slot that changes its adapter is seen by recorded graphs."""
    decoder, near = on_device
    pool, plain = decoder.lora_pool(4), cpu.lora_pool()
    prompt = ids(33, 9)
    for round_, order in enumerate(((0, 1), (1, 2), (2, 0))):
        for slot, which in enumerate(order, start=1):
            pool.place(slot, pool.prepare(weights[which]))
            plain.place(slot, plain.prepare(weights[which]))
        results = []
        for one, adapters in ((decoder, pool), (cpu, plain)):
            cache = PagedCache(CONFIG, 12, 16, one.device)
            tables = [[3 * i, 3 * i + 1, 3 * i + 2] for i in range(3)]
            chunk = [Segment(prompt[:32], blocks=t, slot=i) for i, t in enumerate(tables)]
            step = [Segment(prompt[32:], start=32, blocks=t, slot=i) for i, t in enumerate(tables)]
            results.append(
                torch.cat([one.forward(chunk, cache, adapters), one.forward(step, cache, adapters)])
            )
        for slot in range(3):
            rows = [*range(32 * slot, 32 * slot + 32), 96 + slot]
            assert relative(results[0][rows], results[1][rows].cpu()) < near, (round_, slot)
        assert relative(results[0][96:97], results[1][97:98]) > 0.05  # the control: adapters matter


@torch.inference_mode()
def test_long_runs_of_adapters_are_read_in_wide_tiles(
    on_device: tuple[Decoder, float], cpu: Decoder, weights: list[LoraWeights]
) -> None:
    decoder, near = on_device
    prompt, results = ids(200, 4), []
    chunks = [Segment(prompt, blocks=list(range(13 * i, 13 * i + 13)), slot=i) for i in range(3)]
    assert pack(chunks, 16).extent.rows >= WIDE_FROM_ROWS
    for one, pool in ((decoder, decoder.lora_pool(2)), (cpu, cpu.lora_pool())):
        for slot, adapter in enumerate(weights[:2], start=1):
            pool.place(slot, pool.prepare(adapter))
        results.append(one.forward(chunks, PagedCache(CONFIG, 39, 16, one.device), pool).split(200))
    ours, expected = results
    assert all(relative(got, want) < near for got, want in zip(ours, expected, strict=True))
    assert relative(ours[0], expected[1]) > 0.05  # the control: adapters matter


@torch.inference_mode()
def test_many_rows_of_few_adapters_decode_in_shared_tiles(
    on_device: tuple[Decoder, float], cpu: Decoder, weights: list[LoraWeights]
) -> None:
    """In a graph, with a pool so large that it is in 8 bits beside fp8 as well."""
    decoder, near = on_device
    slots, last, results = (0, 3, 40), ids(60, 6), []
    rows = [(i, slots[i // 20]) for i in range(60)]
    chunk = [Segment(ids(5, i), blocks=[i], slot=slot) for i, slot in rows]
    step = [Segment([last[i]], start=5, blocks=[i], slot=slot) for i, slot in rows]
    for pieces in (False, True):
        packed = pack(step, 16, pieces)
        assert (packed.decode, packed.extent.tile) == (True, TILE_ROWS)
    for one, pool in ((decoder, decoder.lora_pool(40)), (cpu, cpu.lora_pool())):
        for slot, adapter in zip(slots[1:], weights, strict=False):
            pool.place(slot, pool.prepare(adapter))
        dense = isinstance(one.layers[0].qkv, BFloat16Matrix)
        assert not isinstance(pool, StackedPool) or pool.form == ("bfloat16" if dense else "int8")
        cache = PagedCache(CONFIG, 60, 16, one.device)
        one.forward(chunk, cache, pool)
        results.append(one.forward(step, cache, pool).split(20))
    ours, expected = results
    assert all(relative(got, want) < near for got, want in zip(ours, expected, strict=True))
    alone = cpu.forward([Segment([*ids(5, 20), last[20]])], None, None)[-1:]
    assert relative(ours[1][:1], alone) > 0.05  # the control: adapters matter


@torch.inference_mode()
def test_many_sequences_decode_as_each_alone(on_device: tuple[Decoder, float]) -> None:
    decoder, _ = on_device
    cache = PagedCache(CONFIG, 80, 16, torch.device("cuda"))
    prompts = [ids(17 + i, seed=i) for i in range(20)]
    tables = [[4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3] for i in range(20)]
    decoder.forward([Segment(p, blocks=t) for p, t in zip(prompts, tables, strict=True)], cache, None)
    step = [Segment([5], start=len(p), blocks=t) for p, t in zip(prompts, tables, strict=True)]
    together = decoder.forward(step, cache, None)
    alone = torch.cat([decoder.forward([one], cache, None) for one in step])
    assert relative(together, alone.cpu()) < 0.06


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        (Segment([CONFIG.vocabulary], blocks=[0]), "tokens: expected ids below 320"),
        (Segment([5], blocks=[12]), "blocks: expected block numbers below 12"),
        (Segment([5], blocks=[0], slot=1), "expected one of Decoder.lora_pool"),
    ],
)
def test_what_would_read_foreign_memory_is_refused(
    on_device: tuple[Decoder, float], segment: Segment, message: str
) -> None:
    from models_zoo.llm.lora import LoraPool

    decoder, _ = on_device
    with pytest.raises(ValueError, match=message):
        decoder.forward([segment], fresh_cache(), LoraPool(CONFIG, torch.device("cuda"), torch.bfloat16))
