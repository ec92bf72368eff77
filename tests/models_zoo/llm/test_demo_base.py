"""The demo base as it serves, against transformers in float32: as near as transformers' own bfloat16 gets."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from models_zoo.llm.batch import Segment
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.format import demo_gguf
from models_zoo.llm.paged import PagedCache
from models_zoo.llm.tokenizer import ChatTokenizer

TEXT = (
    "A heart attack happens when the flow of blood that brings oxygen to a part of the heart is cut off. "
    "The bank refunds a fee that was charged in error within three working days. def add(a, b): return a + b. "
    "In 1969 two people walked on the Moon for the first time; a third stayed in orbit and kept the ship."
)
ALLOWED = 1.3  # of the error of transformers in bfloat16
STEP = 16


@pytest.fixture(scope="module")
def ids(demo_base: Path) -> list[int]:
    return ChatTokenizer(demo_base).encode(TEXT)


def in_transformers(ids: list[int], dtype: torch.dtype) -> torch.Tensor:
    from transformers import AutoModelForCausalLM

    gguf = demo_gguf()
    model = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=dtype).eval()
    with torch.inference_mode():
        logits: torch.Tensor = model(torch.tensor([ids])).logits[0].float()
    return logits


@pytest.fixture(scope="module")
def reference(ids: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """transformers' logits in float32, and in bfloat16."""
    return in_transformers(ids, torch.float32), in_transformers(ids, torch.bfloat16)


def served(decoder: Decoder, ids: list[int], first: int) -> torch.Tensor:
    """Logits [T, V] of a prompt of `first` tokens and single tokens after it, through the paged cache."""
    cache = PagedCache(decoder.config, 16, STEP, decoder.device)
    table = list(range(16))
    cuts = [0, first, *range(first + 1, len(ids) + 1)]
    rows = [
        decoder.forward([Segment(ids[start:stop], start, table)], cache, None)
        for start, stop in pairwise(cuts)
    ]
    return decoder.logits(torch.cat(rows))


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize("native", [True, False])
def test_it_errs_no_more_than_bfloat16(
    demo_base: Path, ids: list[int], reference: tuple[torch.Tensor, torch.Tensor], native: bool
) -> None:
    exact, bfloat16 = reference
    logits = served(load_decoder(demo_base, native=native), ids, first=len(ids) // 2)
    error, allowed = float((logits - exact).norm()), ALLOWED * float((bfloat16 - exact).norm())
    assert error <= allowed
    top = exact.topk(2, dim=-1)
    margin = top.values[:, 0] - top.values[:, 1]
    decided = margin > 2 * (bfloat16 - exact).abs().amax(dim=-1)
    assert decided.any()
    assert torch.equal(logits.argmax(dim=-1)[decided], top.indices[decided, 0])
