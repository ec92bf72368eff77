"""What a language engine offers, whichever machine it runs on. Free of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Message = Mapping[str, str]


def never() -> bool:
    """The `cancelled` of a request that nobody can cancel."""
    return False


class EngineError(Exception):
    """The engine could not serve a request; the message says why. An unknown adapter is one reason."""


class EngineBusy(EngineError):
    """The waiting queue is full."""


class EngineTimeout(EngineError):
    """The request's deadline passed before it was finished."""


@dataclass(slots=True, frozen=True)
class Sampling:
    """How tokens are chosen. `temperature` 0 is greedy; with a `seed` a request repeats its text."""

    max_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    repetition_penalty: float = 1.0


@dataclass(slots=True, frozen=True)
class Chunk:
    """A piece of generated text, always whole characters. `tokens` counts those the piece took.

    `finish_reason` is None until the last chunk: "stop" | "length" | "cancelled".
    """

    text: str
    tokens: int
    finish_reason: str | None


@dataclass(slots=True, frozen=True)
class Span:
    """A labelled piece of a text, in character offsets, `end` exclusive."""

    start: int
    end: int
    label: str
    score: float


@dataclass(slots=True, frozen=True)
class AdapterResidency:
    """A loaded adapter: whether it holds a device slot now, how many requests use it, how large it is."""

    adapter: str
    task: str
    slot: int | None
    in_use: int
    rank: int
    bytes: int


@dataclass(slots=True, frozen=True)
class EngineStats:
    """Counters since start, and what is going on now."""

    fingerprint: str
    device: str
    running: int
    waiting: int
    requests: int
    generated_tokens: int
    prompt_tokens: int
    texts: int
    errors: int
    adapters: int
    slots: int
    tokens_per_second: float  # decode rate over about the last ten seconds of decoding


class Engine(Protocol):
    """Generate, classify and tag over one base and any of its adapters. All methods are thread-safe."""

    fingerprint: str

    def generate(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        adapter: str | None = None,
        cancelled: Callable[[], bool] = never,
        deadline: float | None = None,
    ) -> Iterator[Chunk]: ...

    def classify(self, texts: Sequence[str], adapter: str) -> list[dict[str, float]]: ...

    def tag(self, texts: Sequence[str], adapter: str) -> list[list[Span]]: ...

    def load(self, adapter: str, folder: Path) -> None: ...

    def unload(self, adapter: str) -> None: ...

    def adapters(self) -> list[AdapterResidency]: ...

    def stats(self) -> EngineStats: ...

    def close(self) -> None: ...
