"""What a language engine offers, whichever machine it runs on. Free of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Literal, Protocol

from models_zoo.llm.card import AdapterCard

Message = Mapping[str, str]


def never() -> bool:
    """The `cancelled` of a request that nobody can cancel."""
    return False


class EngineError(Exception):
    """The engine could not serve a request; the message says why. An unknown adapter is one reason."""


class PromptTooLong(EngineError):
    """The prompt leaves no room in the context."""


class NotFinite(EngineError):
    """An adapter's numbers overflow: what came out is no answer."""


class EngineBusy(EngineError):
    """The waiting queue is full."""


class EngineTimeout(EngineError):
    """The request's deadline passed before it was finished."""


class Priority(IntEnum):
    """Who goes first when not all can: people who wait, then bulk work, then evaluations."""

    INTERACTIVE = 0
    BULK = 1
    EVALUATION = 2


@dataclass(slots=True, frozen=True)
class Call:
    """Who asks, and how long the answer is wanted.

    `organisation` is whom fair shares and shared prefixes are kept for; `deadline` is in Unix seconds;
    `cancelled` is asked between chunks.
    """

    organisation: str = ""
    priority: Priority = Priority.INTERACTIVE
    deadline: float | None = None
    cancelled: Callable[[], bool] = never


@dataclass(slots=True, frozen=True)
class Constraint:
    """What a reply must be: an instance of a JSON schema, a match of a regular expression, or a sentence of
    a Lark grammar (llguidance's dialect)."""

    kind: Literal["json_schema", "regex", "lark"]
    text: str


@dataclass(slots=True, frozen=True)
class Sampling:
    """How tokens are chosen. `temperature` 0 is greedy; with a `seed` a request repeats its text.

    `top_k` 0 and `min_p` 0 leave all tokens in. Penalties: `repetition_penalty` divides (Keskar et al.,
    2019), `presence_penalty` and `frequency_penalty` subtract (OpenAI), over what the reply has said so far;
    the first over the prompt too. `n` candidates share the prompt. `beams` above 1 searches for the likeliest
    replies instead of sampling, and returns the best `n` of them. `logprobs` is how many alternatives are
    told with each token; None tells none, 0 only the token's own.
    """

    max_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    beams: int = 1
    length_penalty: float = 1.0  # of beam search: above 1 favours longer replies
    logprobs: int | None = None
    constraint: Constraint | None = None
    ignore_end: bool = False  # write on to `max_tokens` whatever the model says: for measurements


@dataclass(slots=True, frozen=True)
class TokenLogprob:
    """A token and its natural-logarithm probability before temperature, penalties and constraint."""

    token: int
    bytes: bytes
    logprob: float
    top: tuple[TokenLogprob, ...] = ()


@dataclass(slots=True, frozen=True)
class Timing:
    """Of one candidate, in seconds from its submission; None for what did not happen."""

    queued: float | None = None  # until its first tokens were read
    first_token: float | None = None
    total: float | None = None


@dataclass(slots=True, frozen=True)
class Usage:
    """Tokens of one candidate. `cached_tokens` of the prompt were found in the prefix cache."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    timing: Timing


@dataclass(slots=True, frozen=True)
class Chunk:
    """A piece of generated text, always whole characters. `tokens` counts those the piece took.

    `finish_reason` is None until the last chunk of its candidate: "stop" | "length" | "cancelled".
    `index` is the candidate's number, below `Sampling.n`. `usage` comes with each candidate's last chunk.
    """

    text: str
    tokens: int
    finish_reason: str | None
    index: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()
    usage: Usage | None = None


@dataclass(slots=True, frozen=True)
class Span:
    """A labelled piece of a text, in character offsets, `end` exclusive."""

    start: int
    end: int
    label: str
    score: float


@dataclass(slots=True, frozen=True)
class Embedding:
    """A text's vector, of length 1, and how many tokens it was read from."""

    vector: list[float]
    tokens: int


@dataclass(slots=True, frozen=True)
class AdapterResidency:
    """An available adapter: where it is now, how many requests use it, how large it is.

    `slot` is its device slot, if it holds one; `tier` is "device", "memory" or "disk". `hits` are the requests that
    have named it since it became known here.
    """

    adapter: str
    task: str
    slot: int | None
    in_use: int
    rank: int
    bytes: int
    tier: str = "memory"
    pinned: bool = False
    hits: int = 0


@dataclass(slots=True, frozen=True)
class Distribution:
    """counts[i] values were at most bounds[i], and more than the bound before; the last class has no bound."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


@dataclass(slots=True, frozen=True)
class EngineStats:
    """What is going on now, and counters since start."""

    fingerprint: str
    device: str
    running: int
    waiting: int
    adapters: int
    slots: int
    tiers: Mapping[str, int]  # available adapters by where they are: "device", "memory", "disk"
    adapter_bytes: int  # that adapters take of host memory
    adapter_room: int  # bytes that they may take
    adapter_form: str  # how they are held, see `models_zoo.llm.adapter_memory`
    kv_blocks: int
    kv_blocks_used: int  # by running sequences; what the prefix cache keeps is free to be taken
    kv_blocks_cached: int
    tokens_per_second: float  # decode rate over about the last ten seconds of decoding
    token_ms: (
        float  # 95th percentile of the time between a reply's tokens over the last seconds, 0 without any
    )
    token_budget_ms: float  # the most that it should be: what trainers pace themselves by
    requests: int
    generated_tokens: int
    prompt_tokens: int
    prefix_hit_tokens: int  # of the prompts' tokens, those whose keys were found in the prefix cache
    texts: int
    errors: int
    preemptions: int
    steps: int
    first_token_ms: Distribution
    inter_token_ms: Distribution
    batch: Distribution  # requests in a step


class Engine(Protocol):
    """Generate, classify, tag and embed over one base and any of its adapters. All methods are thread-safe."""

    fingerprint: str

    def generate(
        self,
        prompt: Sequence[Message] | str,
        sampling: Sampling,
        adapter: str | None = None,
        call: Call = ...,
    ) -> Iterator[Chunk]: ...

    def classify(self, texts: Sequence[str], adapter: str, call: Call = ...) -> list[dict[str, float]]: ...

    def tag(self, texts: Sequence[str], adapter: str, call: Call = ...) -> list[list[Span]]: ...

    def embed(
        self, texts: Sequence[str], adapter: str | None = None, call: Call = ...
    ) -> list[Embedding]: ...

    def load(self, adapter: str, folder: Path) -> None: ...

    def unload(self, adapter: str) -> None: ...

    def pin(self, adapter: str, pinned: bool = True) -> None: ...

    def warm(self, adapter: str) -> bool: ...

    def cool(self, adapter: str) -> None: ...

    def card(self, adapter: str) -> AdapterCard: ...

    def adapters(self) -> list[AdapterResidency]: ...

    def stats(self) -> EngineStats: ...

    def close(self) -> None: ...
