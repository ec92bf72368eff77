"""A vocabulary over the tiny base's tokenizer, and a small stand-in for the loop and its device."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from models_zoo.llm.tokenizer import ChatTokenizer
from tests.models_zoo.llm.tiny import CONFIG, make_base
from workers.engine.generation.group import open_group
from workers.engine.generation.request import Generation, Ticket, Vocabulary
from workers.engine.generation.step import settle
from workers.engine.protocol import Call, Chunk, Sampling

Model = Callable[[list[int]], Tensor]
SIZE = CONFIG.vocabulary


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)  # such rows gain nothing from two


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    base = make_base(tmp_path_factory.mktemp("generation") / "base")
    return Vocabulary(ChatTokenizer(base.folder), base.card.end_token, SIZE)


def random_model(seed: int, spread: float = 3.0, control: float = -2.0) -> Model:
    """Logits that depend on the last tokens alone, in a way nobody could guess; end tokens less likely."""

    def logits(tokens: list[int]) -> Tensor:
        generator = torch.Generator().manual_seed(hash((seed, *tokens[-3:])) % 2**63)
        row = torch.randn(SIZE, generator=generator) * spread
        row[:3] += control
        return row

    return logits


@dataclass
class Reply:
    """A candidate as its caller sees it."""

    chunks: list[Chunk] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(chunk.text for chunk in self.chunks)

    @property
    def reason(self) -> str | None:
        return self.chunks[-1].finish_reason

    @property
    def tokens(self) -> int:
        return sum(chunk.tokens for chunk in self.chunks)


def opened(vocabulary: Vocabulary, sampling: Sampling, prompt: tuple[int, ...] = (50, 60, 70)) -> Generation:
    """A request's first generation."""
    return open_group(Ticket(Call()), list(prompt), sampling, vocabulary, sampling.max_tokens).first


def run(model: Model, *firsts: Generation) -> None:
    """Decode the groups of `firsts` together until all have ended."""
    running = list(firsts)
    while running:
        due = [generation for generation in running if generation.ready]
        assert due, "nobody can go on"
        for generation in due:
            generation.started()
        rows = torch.stack([model(generation.tokens(0, generation.known())) for generation in due])
        progress = settle(rows, due)
        for generation in progress.grown:
            generation.tell()
        running = [other for other in running if other not in progress.dropped]
        for parent, child in progress.forks:
            assert parent in running or parent in progress.finished
            assert child.known() == parent.known()
            running.append(child)
        running = [other for other in running if other not in progress.finished]


def replies(first: Generation) -> list[Reply]:
    """What the request's caller has been sent."""
    found = [Reply() for _ in range(first.sampling.n)]
    while True:
        try:
            item = first.group.out.get_nowait()
        except queue.Empty:
            return found
        if isinstance(item, Exception):
            raise item
        found[item.index].chunks.append(item)


def written(vocabulary: Vocabulary, model: Model, sampling: Sampling) -> list[Reply]:
    """The replies of one request that is alone."""
    first = opened(vocabulary, sampling)
    run(model, first)
    return replies(first)
