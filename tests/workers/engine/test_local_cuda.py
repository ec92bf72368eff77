"""The engine on CUDA: the same requests, the same policy."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
import torch

from tests.models_zoo.llm.tiny import TinyBase, make_adapter, make_base
from workers.engine.local import LocalEngine
from workers.engine.protocol import Sampling

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not (torch.cuda.is_available() and find_spec("triton")), reason="needs a CUDA device and Triton"
    ),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> TinyBase:
    return make_base(tmp_path_factory.mktemp("cuda") / "tiny")


@pytest.fixture(scope="module")
def engine(base: TinyBase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    engine = LocalEngine(base.folder, device="cuda", slots=4, sequences=8, kv_bytes=1 << 24)
    root = tmp_path_factory.mktemp("adapters")
    engine.load("one", make_adapter(root / "one", base, seed=1))
    engine.load("mood", make_adapter(root / "mood", base, 2, task="classification", labels=("calm", "angry")))
    yield engine
    engine.close()


def text(engine: LocalEngine, sampling: Sampling, adapter: str | None = None) -> str:
    return "".join(chunk.text for chunk in engine.generate("a patient came in", sampling, adapter))


def test_it_works(engine: LocalEngine) -> None:
    greedy = Sampling(max_tokens=24, temperature=0.0, ignore_end=True)
    first = text(engine, greedy)
    assert first
    assert text(engine, greedy) == first
    assert text(engine, greedy, "one") != first


def test_a_seed_repeats_a_drawn_text(engine: LocalEngine) -> None:
    drawn = Sampling(max_tokens=24, temperature=1.0, top_p=0.9, seed=7, ignore_end=True)
    assert text(engine, drawn, "one") == text(engine, drawn, "one")


def test_heads_and_embeddings(engine: LocalEngine) -> None:
    (scores,) = engine.classify(["leave me alone"], "mood")
    assert set(scores) == {"calm", "angry"}
    (embedding,) = engine.embed(["a text"])
    assert abs(sum(value * value for value in embedding.vector) - 1) < 1e-4
