"""The gateway with its real lanes and handlers, over an engine that says what the test tells it to."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import httpx
import pytest
from django.conf import settings
from openai import OpenAI

from models_zoo.llm.card import read_card
from models_zoo.llm.tokenizer import ChatTokenizer
from rootstock.lanes import wire
from workers.engine.protocol import Call, Chunk, Embedding, EngineError, Sampling, Timing, TokenLogprob, Usage
from workers.lanes import Consumer

ANYONE = Call()


def likelihood(text: str) -> TokenLogprob:
    """A token, sure of itself, with one alternative."""
    raw = text.encode()
    return TokenLogprob(5, raw, -0.1, (TokenLogprob(5, raw, -0.1), TokenLogprob(6, b" or", -2.5)))


@dataclass
class ScriptedEngine:
    """Says `words` for every candidate, the candidate's number before them; keeps what it was asked."""

    fingerprint: str
    words: list[str] = field(default_factory=lambda: ["It ", "is ", "late."])
    gate: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None
    refusal: Exception | None = None
    asked: list[tuple[Any, Sampling, str | None, Call]] = field(default_factory=list)
    read: list[tuple[list[str], Call]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def generate(
        self, prompt: Any, sampling: Sampling, adapter: str | None = None, call: Call = ANYONE
    ) -> Iterator[Chunk]:
        """Refused at once, or the script."""
        self.asked.append((prompt, sampling, adapter, call))
        if self.refusal:
            raise self.refusal
        return self._chunks(sampling, call)

    def _chunks(self, sampling: Sampling, call: Call) -> Iterator[Chunk]:
        words = self.words[: sampling.max_tokens]
        for at, word in enumerate(words):
            while at and not self.gate.wait(0.02):
                if call.cancelled():
                    self.stopped.set()
                    yield from self._ends(sampling, "cancelled", at)
                    return
            if self.failure and at:
                raise self.failure
            for index in range(sampling.n):
                said = f"{index}:{word}" if sampling.n > 1 else word
                told = (likelihood(said),) if sampling.logprobs is not None else ()
                yield Chunk(said, 1, None, index, told)
        yield from self._ends(sampling, "stop" if len(words) == len(self.words) else "length", len(words))

    def _ends(self, sampling: Sampling, reason: str, written: int) -> Iterator[Chunk]:
        for index in range(sampling.n):
            yield Chunk("", 0, reason, index, (), Usage(7, 4, written, Timing(0.01, 0.02, 0.03)))

    def embed(self, texts: Sequence[str], adapter: str | None = None, call: Call = ANYONE) -> list[Embedding]:
        """One direction for each text's length."""
        self.read.append((list(texts), call))
        if any("refuse" in text for text in texts):
            raise EngineError("a text is too long")
        return [Embedding([0.6, -0.8] if len(text) % 2 else [1.0, 0.0], len(text.split())) for text in texts]


TOKENIZERS = cache(ChatTokenizer)  # read once for all tests


@dataclass
class ScriptedRuntime:
    """The part of the worker's runtime that the handlers use; adapters are looked up in the real registry."""

    engine: ScriptedEngine

    def adapter(self, organisation_id: Any, digest: str) -> str:
        """The digest, if the organisation has it."""
        from rootstock.registry.fitness import content_to_serve

        return content_to_serve(organisation=organisation_id, digest=digest).digest


@pytest.fixture
def engine(base) -> ScriptedEngine:
    return ScriptedEngine(read_card(base).fingerprint)


@pytest.fixture
def served(services, committed_world, engine, monkeypatch) -> Iterator[Any]:
    """A world whose gateway lanes are served in this process by the real handlers."""
    from workers.gateway import GenerateHandler
    from workers.gateway_embed import EmbedHandler

    monkeypatch.setattr("workers.lanes._POLL_S", 0.05)  # consumers that stop at once
    for module in ("gateway", "gateway_embed"):
        monkeypatch.setattr(f"workers.{module}.ChatTokenizer", TOKENIZERS)
    handlers = {"gateway.generate": GenerateHandler(), "gateway.embed": EmbedHandler()}
    consumers = []
    for name, handler in handlers.items():
        lane = replace(settings.LANES[name], group="score")  # its keys need no base
        monkeypatch.setitem(settings.LANES, name, lane)
        wire.connect().delete(wire.queue_key(name, "any"))
        handler.load(ScriptedRuntime(engine))
        consumers.append(Consumer(name, lane, handler, "any"))
        consumers[-1].start()
        wire.connect().set(consumers[-1].alive, 1, ex=300)  # as the runtime does every second
    yield committed_world
    engine.gate.set()
    for consumer in consumers:
        consumer.stop()


def openai_client(token: str) -> OpenAI:
    """The official client, on Rootstock's own WSGI application."""
    from rootstock.wsgi import application

    transport = httpx.WSGITransport(app=application)
    return OpenAI(
        api_key=token,
        base_url="http://rootstock.test/v1",
        http_client=httpx.Client(transport=transport),
        max_retries=0,
    )


@pytest.fixture
def openai(served) -> OpenAI:
    """A client with a key of the organisation, of somebody who may try adapters."""
    return openai_client(served.key("models:use", "adapters:write"))


@pytest.fixture
def adapters(served):
    """Makes adapters of an organisation on the served base."""
    from rootstock.accounts.tenancy import tenant
    from rootstock.ids import uuid7
    from rootstock.registry.base import base_card, base_registered
    from rootstock.registry.models import AdapterVersion, BaseModel

    def make(name: str, *, organisation=None, task: str = "chat", of_another_base: bool = False) -> str:
        owner = organisation or served.organisation
        row = base_registered(base_card())
        if of_another_base:
            row = BaseModel.objects.create(name="other", fingerprint=uuid7().hex * 2, bytes=1)
        with tenant(owner):
            made = AdapterVersion.objects.create(
                organisation=owner, name=name, digest=uuid7().hex[::-1] * 2, base=row, card={"task": task}
            )
        return made.reference

    return make
