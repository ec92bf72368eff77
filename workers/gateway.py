"""What the gateway runs on the worker: writing on, with any adapter or none."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import redis

from models_zoo.llm.card import read_card
from models_zoo.llm.tokenizer import ChatTokenizer
from rootstock.accounts.actors import Actor
from rootstock.accounts.tenancy import tenant
from rootstock.audit.decisions import decisions_record, input_hash
from rootstock.errors import (
    Busy,
    ContextExceeded,
    DomainError,
    InternalError,
    InvalidInput,
)
from rootstock.gateway.budgets import Used, stream_slot_give, usage_record
from rootstock.gateway.facts import generation_facts
from rootstock.lanes.streams import release_connection
from rootstock.registry.base import base_folder
from workers.engine.protocol import (
    Call,
    Chunk,
    EngineBusy,
    EngineError,
    EngineTimeout,
    Priority,
    Sampling,
    Usage,
)
from workers.failures import put_off
from workers.gateway_forms import adapter_of, refusal, sampling_of, token_data
from workers.handlers import LaneRequest
from workers.runtime import Runtime
from workers.shadowing import Answered, Shadows

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Written:
    """An answer as it is being written: `n` candidates of one prompt."""

    n: int
    began: float = field(default_factory=time.monotonic)
    texts: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    reasons: dict[int, str] = field(default_factory=dict)
    usages: dict[int, Usage] = field(default_factory=dict)
    tokens: int = 0

    def take(self, chunk: Chunk) -> None:
        """Add one piece."""
        self.texts[chunk.index].append(chunk.text)
        self.tokens += chunk.tokens
        if chunk.finish_reason:
            self.reasons[chunk.index] = chunk.finish_reason
        if chunk.usage:
            self.usages[chunk.index] = chunk.usage

    def used(self, prompt: Callable[[], int]) -> Used:
        """What the call used; the prompt is read once for all candidates. One that broke off is counted here."""
        told = [usage for _, usage in sorted(self.usages.items())]
        written = sum(usage.completion_tokens for usage in told) if len(told) == self.n else self.tokens
        return Used(
            told[0].prompt_tokens if told else prompt(), written, told[0].cached_tokens if told else 0
        )

    def data(self, used: Used) -> dict[str, Any]:
        """What the `done` event says."""
        first = self.usages[min(self.usages)].timing if self.usages else None
        return {
            "usage": {"prompt": used.prompt, "completion": used.completion, "cached": used.cached},
            "finish": [self.reasons.get(index, "failed") for index in range(self.n)],
            "timings": {
                "queued_ms": _ms(first.queued) if first else None,
                "first_token_ms": _ms(first.first_token) if first else None,
                "total_ms": _ms(time.monotonic() - self.began),
            },
        }

    @property
    def text(self) -> str:
        """All candidates, one after the other."""
        return "\n".join("".join(pieces) for _, pieces in sorted(self.texts.items()))


class GenerateHandler:
    """Writes one answer: `start`, `token`… and `done` events out. What comes in: `rootstock.gateway.services`.

    Usage and decision record are written here, in one transaction, however the answer ends: web may restart and the
    client may leave, and what was written is still counted once.
    """

    def load(self, runtime: Runtime) -> None:
        """Keep the runtime, and the tokenizer and context of its base."""
        self._runtime, self._shadows = runtime, Shadows(runtime)
        self._tokenizer, self._context = ChatTokenizer(base_folder()), read_card(base_folder()).config.context

    def stream(
        self, request: LaneRequest, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Events of one answer. The finally clause also runs when the consumer closes the generator early."""
        asked, owner = request.payload, request.organisation_id
        try:
            sampling = sampling_of(asked["sampling"])
            given = input_hash(owner, {name: asked[name] for name in ("model", "prompt", "sampling")})
            chunks = self._chunks(request, sampling, cancelled)
            release_connection()
            written = Written(sampling.n)
            yield "start", {"model": asked["model"], "fingerprint": self._runtime.engine.fingerprint}
            try:
                for chunk in _as_domain_errors(chunks, asked["fields"]):
                    written.take(chunk)
                    if chunk.text or chunk.logprobs:
                        yield "token", token_data(chunk)
            finally:
                done = self._account(owner, asked, given, written)
            yield "done", done
            if asked.get("shadow"):
                self._shadows.compare(_answered(owner, asked, sampling, written, done))
        finally:
            _give_back(owner, request.id.partition(":")[0])

    def _chunks(
        self, request: LaneRequest, sampling: Sampling, cancelled: Callable[[], bool]
    ) -> Iterator[Chunk]:
        """The engine has taken the request when this returns. Raises what the caller can mend."""
        asked, owner = request.payload, request.organisation_id
        prompt = asked["prompt"]
        if isinstance(prompt, list) and prompt and isinstance(prompt[0], int):
            prompt = self._text_of(prompt)
        call = Call(str(owner), Priority[asked["priority"].upper()], request.deadline, cancelled)
        try:
            adapter = adapter_of(self._runtime, owner, asked["adapter"])
            return self._runtime.engine.generate(prompt, sampling, adapter, call)
        except EngineBusy as error:
            raise Busy("the engine's queue is full", retry_after=2) from error
        except (EngineError, ValueError) as error:
            raise refusal(error, asked["fields"]) from error

    def _text_of(self, tokens: list[int]) -> str:
        """The text whose tokens these are."""
        if len(tokens) > self._context:
            told = f"the prompt is {len(tokens)} tokens, more than the base's {self._context}"
            raise ContextExceeded.field("prompt", told)
        table = self._tokenizer.token_bytes
        text = b"".join(table[token] for token in tokens if token < len(table)).decode(errors="replace")
        if self._tokenizer.encode(text) != tokens:
            raise InvalidInput.field(
                "prompt", "these tokens are not how the model reads any text; send the text"
            )
        return text

    def _account(self, owner: UUID, asked: dict[str, Any], given: bytes, written: Written) -> dict[str, Any]:
        """Keep what it used and that it was decided; returns what `done` says."""
        used = written.used(lambda: self._prompt_tokens(asked["prompt"]))
        done, call, fingerprint = written.data(used), UUID(asked["call"]), self._runtime.engine.fingerprint
        facts = generation_facts(
            call, given, asked["model"], asked["adapter"], fingerprint, done["timings"]["total_ms"], done,
            written.text,
        )  # fmt: skip
        with tenant(owner):
            decisions_record(organisation=owner, records=[facts])
            usage_record(
                organisation=owner, call=call, holder=Actor(*asked["holder"]), model=asked["model"], used=used
            )
        release_connection()
        return done

    def _prompt_tokens(self, prompt: list[dict[str, str]] | list[int] | str) -> int:
        if isinstance(prompt, str):
            return len(self._tokenizer.encode(prompt))
        return len(self._tokenizer.chat(prompt) if prompt and isinstance(prompt[0], dict) else prompt)


def _answered(
    owner: UUID, asked: dict[str, Any], sampling: Sampling, written: Written, done: dict[str, Any]
) -> Answered:
    return Answered(
        owner, asked["alias"], asked["adapter"], asked["shadow"], asked["prompt"], sampling, written.text,
        done["timings"]["total_ms"],
    )  # fmt: skip


def _as_domain_errors(chunks: Iterator[Chunk], fields: dict[str, str]) -> Iterator[Chunk]:
    try:
        yield from chunks
    except (EngineBusy, EngineTimeout) as problem:
        raise put_off(problem, "the answer was not finished in time") from None
    except EngineError as error:
        is_refusal = str(error).startswith("constraint:")  # one that leads nowhere is found out on the way
        raise refusal(error, fields) if is_refusal else InternalError(str(error)) from error


def _give_back(owner: UUID, slot: str) -> None:
    try:
        stream_slot_give(owner, slot)
    except (DomainError, redis.RedisError):
        log.warning("a place for a stream falls free by itself: Valkey is away")


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
