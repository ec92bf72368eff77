"""The demo base as it serves, against transformers in float32: as near as transformers' own bfloat16 gets."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from models_zoo.llm.attention import CausalAttention
from models_zoo.llm.batch import Segment
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.format import demo_gguf
from models_zoo.llm.paged import PagedCache
from models_zoo.llm.tokenizer import ChatTokenizer

pytestmark = pytest.mark.xdist_group("demo-base")  # transformers reads the file for half a minute
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


@pytest.fixture(scope="module")
def chat(demo_base: Path) -> list[int]:
    """A prompt in the base's chat template, as transformers writes it."""
    from transformers import AutoTokenizer

    messages = [{"role": "user", "content": "My parcel is three weeks late and I am angry. What can you do?"}]
    tokenizer = AutoTokenizer.from_pretrained(demo_base)
    found: list[int] = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)[
        "input_ids"
    ]
    return found


@pytest.fixture(scope="module")
def references(ids: list[int], chat: list[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """transformers' logits in float32, and in bfloat16, of `ids` and of `chat`. It reads the file once."""
    from transformers import AutoModelForCausalLM

    gguf = demo_gguf()
    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32
    ).eval()
    texts = [torch.tensor([ids]), torch.tensor([chat])]
    with torch.inference_mode():
        exact = [model(text).logits[0] for text in texts]
        model.bfloat16()
        return [(one, model(text).logits[0].float()) for one, text in zip(exact, texts, strict=True)]


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
    demo_base: Path, ids: list[int], references: list[tuple[torch.Tensor, torch.Tensor]], native: bool
) -> None:
    exact, bfloat16 = references[0]
    logits = served(load_decoder(demo_base, native=native), ids, first=len(ids) // 2)
    error, allowed = float((logits - exact).norm()), ALLOWED * float((bfloat16 - exact).norm())
    assert error <= allowed
    top = exact.topk(2, dim=-1)
    margin = top.values[:, 0] - top.values[:, 1]
    decided = margin > 2 * (bfloat16 - exact).abs().amax(dim=-1)
    assert decided.any()
    assert torch.equal(logits.argmax(dim=-1)[decided], top.indices[decided, 0])


@pytest.mark.slow
@torch.inference_mode()
def test_what_training_sees_errs_no_more_than_bfloat16(
    demo_base: Path, chat: list[int], references: list[tuple[torch.Tensor, torch.Tensor]]
) -> None:
    exact, bfloat16 = references[1]
    decoder, ids = load_decoder(demo_base), torch.tensor([chat])
    hidden = decoder.hidden(ids, torch.arange(ids.shape[1])[None], CausalAttention())
    assert (decoder.logits(hidden[0]) - exact).norm() <= ALLOWED * (bfloat16 - exact).norm()
