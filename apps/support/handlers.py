"""What the support desk runs on the worker: reading emotions, and writing answers."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from apps.support import selectors, services
from apps.support.context import build_messages
from apps.support.models import Turn
from apps.support.services import Outcome
from apps.support.streaming import done_data, emotion_data
from models_zoo.emotion import labels
from models_zoo.llm.card import AdapterCard
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.zoo import emotion
from rootstock.audit.decisions import input_hash
from rootstock.errors import DeadlineExceeded, DomainError, InternalError, InvalidInput, Unavailable
from rootstock.lanes.streams import release_connection
from rootstock.registry.base import base_folder
from rootstock.registry.resolving import Chosen
from workers.engine.protocol import Call, Chunk, EngineBusy, EngineError, EngineTimeout, Sampling
from workers.gateway_forms import adapter_of
from workers.handlers import LaneRequest
from workers.readers import Reader, Readers, grouped
from workers.runtime import Runtime
from workers.shadowing import Answered, Shadows

EMOTION_FOLDER = Path(emotion.__file__).parent / "adapter"
# Greedy answers of a small base run in circles without it; more than this and it avoids its own facts.
REPETITION_PENALTY = 1.1
# Of one customer turn: half of the engine's context, so that prompt, history and answer fit beside it.
MESSAGE_TOKENS = 1024


class EmotionHandler:
    """Reads a batch of utterances: `{"text", "adapter": a Chosen}` in, the reading with the versions that made it out.

    Without an adapter of the organisation's own the shipped one reads.
    """

    def load(self, runtime: Runtime) -> None:
        """Take the shipped emotion adapter. A worker whose base it does not fit serves the rest."""
        self._engine = runtime.engine
        self._readers = Readers(runtime, "support-emotion", EMOTION_FOLDER, labels.LABELS)
        self._tokenizer = ChatTokenizer(base_folder())

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """One forward for each adapter among them; the shipped one reads everybody's together."""
        answers: dict[int, dict[str, Any] | DomainError] = {}
        for (owner, chosen), members in grouped(batch).items():
            texts = [str(batch[at].payload["text"]) for at in members]
            answers |= zip(members, self._answers(owner, chosen, texts), strict=True)
        return [answers[at] for at in range(len(batch))]

    def _answers(
        self, owner: UUID | None, chosen: Chosen, texts: list[str]
    ) -> Sequence[dict[str, Any] | DomainError]:
        """A text of more tokens than an answer can be written to is refused here, where the tokenizer is, before
        anything is stored."""
        tokens = [len(self._tokenizer.encode(text)) for text in texts]
        short = [text for text, count in zip(texts, tokens, strict=True) if count <= MESSAGE_TOKENS]
        started = time.monotonic()
        try:
            reader = self._readers.reader(owner, chosen)
            rows = self._engine.classify(short, reader.name) if short else []
        except EngineError as error:
            return [_as_domain_error(error) for _ in texts]
        except DomainError as error:
            return [error for _ in texts]
        took = (time.monotonic() - started) * 1000
        read = {text: _labels(row, reader.card) for text, row in zip(short, rows, strict=True)}
        self._readers.compare(owner, chosen, read, self._again, took)
        found = iter(rows)
        return [
            self._reading(reader, next(found)) if count <= MESSAGE_TOKENS else _too_long(count)
            for count in tokens
        ]

    def _again(self, text: str, name: str, call: Call) -> frozenset[str]:
        [row] = self._engine.classify([text], name, call)
        return _labels(row, self._engine.card(name))

    def _reading(self, reader: Reader, scores: dict[str, float]) -> dict[str, Any]:
        versions = {
            "adapter": reader.reference, "adapter_digest": reader.digest, "fingerprint": self._engine.fingerprint,
        }  # fmt: skip
        return {**labels.read(scores, reader.card.thresholds).as_dict(), **versions}


def _labels(row: Mapping[str, float], card: AdapterCard) -> frozenset[str]:
    """What a reading says of a text."""
    return frozenset(labels.read(row, card.thresholds).labels)


def _too_long(tokens: int) -> InvalidInput:
    return InvalidInput.field("text", f"is {tokens} tokens long; at most {MESSAGE_TOKENS} are accepted")


@dataclass(slots=True)
class Speech:
    """An answer as it is being said, with its timing."""

    started: float = field(default_factory=time.monotonic)
    first: float | None = None
    pieces: list[str] = field(default_factory=list)
    tokens: int = 0
    reason: str = ""
    input_hash: bytes = b""

    def take(self, chunk: Chunk) -> None:
        """Add one piece."""
        self.first = self.first or time.monotonic()
        self.pieces.append(chunk.text)
        self.tokens += chunk.tokens
        self.reason = chunk.finish_reason or self.reason

    def outcome(self, adapter: Chosen, fingerprint: str) -> Outcome:
        """How it ended. Without a finish reason it broke off."""
        spoken = time.monotonic() - self.first if self.first else 0.0
        states = {
            "stop": Turn.State.FINISHED,
            "length": Turn.State.FINISHED,
            "cancelled": Turn.State.CANCELLED,
        }
        return Outcome(
            state=states.get(self.reason, Turn.State.FAILED),
            text="".join(self.pieces).strip(),
            finish_reason=self.reason or "failed",
            adapter=adapter.reference,
            adapter_digest=adapter.digest,
            fingerprint=fingerprint,
            tokens=self.tokens,
            first_token_ms=round((self.first - self.started) * 1000, 1) if self.first else None,
            tokens_per_second=round((self.tokens - 1) / spoken, 1) if spoken and self.tokens > 1 else None,
            latency_ms=(time.monotonic() - self.started) * 1000,
            input_hash=self.input_hash,
        )


class ReplyHandler:
    """Writes one answer: `{"answer", "adapter": a Chosen}` in; `emotion`, `token`… and `done` events out.

    The answer is stored here, on the worker, and not by the web process that relays the stream: the client may
    leave, the web process may restart, and the answer is still kept, whole or up to where it was stopped. The
    write is conditional on the turn being pending, so it happens once; when this worker itself dies, the turn's
    deadline passes and `services.answers_expire` marks it as failed. The row is written before `done` is sent, so
    whoever has seen `done` reads the finished turn.
    """

    def load(self, runtime: Runtime) -> None:
        """Keep the runtime, and the tokenizer that the context budget is counted with."""
        self._runtime, self._shadows = runtime, Shadows(runtime)
        self._tokenizer = ChatTokenizer(base_folder())

    def stream(
        self, request: LaneRequest, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Events of one answer. The finally clause also runs when the consumer closes the generator early."""
        answer_id, chosen = UUID(request.payload["answer"]), Chosen(**request.payload["adapter"])
        engine, speech = self._runtime.engine, Speech()
        try:
            task = selectors.reply_task(request.organisation_id, answer_id)
            release_connection()
            yield "emotion", emotion_data(task.message)
            messages = self._messages(task)
            speech.input_hash = input_hash(request.organisation_id, messages)
            release_connection()
            sampling = Sampling(max_tokens=task.desk.answer_tokens, repetition_penalty=REPETITION_PENALTY)
            for chunk in self._chunks(request, chosen, sampling, messages, cancelled):
                speech.take(chunk)
                if chunk.text:
                    yield "token", {"text": chunk.text}
        except GeneratorExit:
            speech.reason = "cancelled"
            raise
        finally:
            outcome = speech.outcome(chosen, engine.fingerprint)
            services.answer_finish(organisation=request.organisation_id, answer_id=answer_id, outcome=outcome)
            finished = done_data(selectors.turn_get(request.organisation_id, answer_id))
            release_connection()
        yield "done", finished
        if chosen.shadow and outcome.state == Turn.State.FINISHED:
            self._shadows.compare(
                Answered(
                    request.organisation_id, chosen.alias, chosen.digest, chosen.shadow, messages, sampling,
                    "".join(speech.pieces), outcome.latency_ms,
                )
            )  # fmt: skip

    def _messages(self, task: selectors.ReplyTask) -> list[dict[str, str]]:
        return build_messages(
            task.desk.system_prompt,
            task.message.emotion_label,
            task.turns,
            task.desk.context_tokens,
            lambda text: len(self._tokenizer.encode(text)),
        )

    def _chunks(
        self,
        request: LaneRequest,
        chosen: Chosen,
        sampling: Sampling,
        messages: list[dict[str, str]],
        cancelled: Callable[[], bool],
    ) -> Iterator[Chunk]:
        owner = request.organisation_id
        try:
            adapter = adapter_of(self._runtime, owner, chosen.digest, "adapter")
            call = Call(str(owner), deadline=request.deadline, cancelled=cancelled)
            yield from self._runtime.engine.generate(messages, sampling, adapter, call)
        except EngineError as error:
            raise _as_domain_error(error) from error


def _as_domain_error(error: EngineError) -> DomainError:
    if isinstance(error, EngineTimeout):
        return DeadlineExceeded("the answer was not finished in time", retry_after=1)
    if isinstance(error, EngineBusy):
        return Unavailable("the engine's queue is full", retry_after=2)
    return InternalError(str(error))
