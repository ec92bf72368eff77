"""The support desk with its real lanes and handlers, over an engine that says what the test tells it to."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from models_zoo.emotion.labels import LABELS
from models_zoo.llm.card import AdapterCard
from rootstock.lanes import wire
from workers.engine.protocol import Call, Chunk, Sampling
from workers.lanes import Consumer

ANYONE = Call()
FINGERPRINT = "f" * 64
WORDS = {"furious": "anger", "late": "annoyance", "thank": "gratitude", "happy": "joy", "how": "curiosity"}


def scores_of(text: str) -> dict[str, float]:
    """Certain of the labels whose words occur, else of `neutral`."""
    found = {label for word, label in WORDS.items() if word in text.lower()} or {"neutral"}
    return {label: 0.9 if label in found else 0.02 for label in LABELS}


@dataclass
class ScriptedEngine:
    """Generates `words` one by one; keeps what it was asked. `gate` holds every word but the first back."""

    words: list[str] = field(default_factory=lambda: ["You ", "can ", "count ", "on ", "it."])
    gate: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None
    fingerprint: str = FINGERPRINT
    asked: list[tuple[list[dict[str, str]], str | None]] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    labels: tuple[str, ...] = LABELS
    blind: dict[str, str] = field(
        default_factory=dict
    )  # by adapter, the label that it never sees; or all of them

    def __post_init__(self) -> None:
        self.gate.set()

    def classify(
        self, texts: Sequence[str], adapter: str, call: Call | None = None
    ) -> list[dict[str, float]]:
        """One row per text."""
        self.read.append(adapter)
        if self.blind.get(adapter) == "all":
            return [{} for _ in texts]
        unseen = {self.blind[adapter]: 0.02} if adapter in self.blind else {}
        return [scores_of(text) | unseen for text in texts]

    def card(self, adapter: str) -> AdapterCard:
        """Of an adapter that reads emotions, without thresholds of its own."""
        return AdapterCard(adapter, "classification", FINGERPRINT, labels=self.labels)

    def generate(
        self,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        adapter: str | None = None,
        call: Call = ANYONE,
    ) -> Iterator[Chunk]:
        """The script, until cancelled."""
        self.asked.append(([dict(message) for message in messages], adapter))
        time.sleep(0.04)  # as reading the prompt takes; the lane sends words that come quicker together
        for number, word in enumerate(self.words):
            while number and not self.gate.wait(0.02):
                if call.cancelled():
                    yield Chunk("", 0, "cancelled")
                    return
            if self.failure and number:
                raise self.failure
            yield Chunk(word, 1, None)
        yield Chunk("", 0, "stop")


@dataclass
class ScriptedRuntime:
    """The part of the worker's runtime that the handlers use; adapters are looked up in the real registry."""

    engine: ScriptedEngine
    folder: Path

    def shipped_adapter(self, name: str, folder: Path) -> str:
        """Its reference."""
        return f"{name}@aaaaaaaaaaaa"

    def adapter(self, organisation_id: Any, digest: str) -> str:
        """The digest, if the organisation has it."""
        from rootstock.registry.fitness import content_to_serve

        return content_to_serve(organisation=organisation_id, digest=digest).digest


class WordCount:
    """Counts words as tokens, so that tests can reckon budgets."""

    def __init__(self, folder: Path) -> None: ...

    def encode(self, text: str) -> list[int]:
        """One number per word."""
        return [0] * len(text.split())


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def lanes(services, monkeypatch) -> None:
    """The two lanes, served by nobody yet. Group `score`: their keys need no base model."""
    monkeypatch.setattr("workers.lanes._POLL_S", 0.05)  # consumers that stop at once
    for name in ("support.emotion", "support.reply"):
        lane = replace(settings.LANES[name], group="score", threads=2)
        monkeypatch.setitem(settings.LANES, name, lane)
        wire.connect().delete(wire.queue_key(name, "any"), wire.alive_key(name, "any"))


@pytest.fixture
def desk(lanes, committed_world, engine, tmp_path, monkeypatch) -> Iterator[Any]:
    """A world whose support lanes are served in this process by the real handlers."""
    from apps.support import handlers

    monkeypatch.setattr(handlers, "ChatTokenizer", WordCount)
    runtime: Any = ScriptedRuntime(engine, tmp_path)
    served = {"support.emotion": handlers.EmotionHandler(), "support.reply": handlers.ReplyHandler()}
    consumers = [Consumer(name, settings.LANES[name], handler, "any") for name, handler in served.items()]
    for handler in served.values():
        handler.load(runtime)
    for consumer in consumers:
        consumer.start()
    yield committed_world
    engine.gate.set()
    for consumer in consumers:
        consumer.stop()


@pytest.fixture
def api(desk):
    """The organisation's key with both scopes."""
    return desk.api("support:read", "support:write")


@pytest.fixture
def conversation(api) -> str:
    """The path of a fresh conversation."""
    return f"/support/conversations/{api.post('/support/conversations', {'subject': 'Parcel'}).json()['id']}"
