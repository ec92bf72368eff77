"""Ask the engine for text or vectors on behalf of an organisation: within its budget, and in its name."""

import base64
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from uuid import UUID, uuid4

from django.conf import settings

from rootstock.accounts.actors import Actor
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.decisions import decisions_record
from rootstock.errors import DeadlineExceeded, DomainError, InvalidInput, Unavailable, from_dict
from rootstock.gateway.budgets import (
    Allowance,
    Used,
    budget_check,
    stream_slot_give,
    stream_slots_take,
    usage_record,
)
from rootstock.gateway.facts import embedding_facts
from rootstock.gateway.served import Served
from rootstock.lanes import client, streams
from rootstock.lanes.streams import StreamEvent

GENERATE, EMBED = "gateway.generate", "gateway.embed"
Tenant = Organisation | UUID
_END = StreamEvent("", "", {})  # after the last one
Priority = Literal["interactive", "bulk", "evaluation"]
Prompt = Sequence[dict[str, str]] | str | Sequence[int]


@dataclass(slots=True, frozen=True)
class Generation:
    """What is to be written: messages, a text to go on from, or that text's tokens.

    `sampling` holds fields of the engine's `Sampling`; a constraint in it is {"kind", "text"}.
    """

    model: Served
    prompt: Prompt
    sampling: dict[str, Any] = field(default_factory=dict)
    priority: Priority = "interactive"
    fields: dict[str, str] = field(default_factory=dict)  # what the caller calls `prompt` and `constraint`
    call: UUID = field(default_factory=uuid4)  # names it in usage and decision records

    @property
    def answers(self) -> int:
        """How many are written at once: each candidate and each beam is a sequence of the engine's."""
        return int(max(self.sampling.get("n", 1), self.sampling.get("beams", 1)))


@dataclass(slots=True, frozen=True)
class Texts:
    """What is to be read into vectors."""

    texts: Sequence[str]
    priority: Priority = "bulk"
    is_list: bool = True

    def payloads(self, adapter: str) -> list[dict[str, Any]]:
        """What the lane carries of each text."""
        fields = [f"input.{at}" if self.is_list else "input" for at in range(len(self.texts))]
        common = {"adapter": adapter, "priority": self.priority}
        return [
            {"text": text, "field": field} | common for text, field in zip(self.texts, fields, strict=True)
        ]


@dataclass(slots=True, frozen=True)
class Embedded:
    """The vectors of texts, as little-endian float32, and how many tokens were read."""

    vectors: list[bytes]
    tokens: int


def generations_open(*, organisation: Tenant, actor: Actor, wanted: Sequence[Generation]) -> list[str]:
    """Start writing, all of them or none; returns the ids of the streams that `lanes.streams` reads.

    Events: `start` {model, fingerprint}, `token` {text, index, logprobs?}, `done` {usage, finish, timings}, `error`.
    The worker counts the usage and keeps the decision record. Raises BudgetSpent, Busy or Unavailable, and
    InvalidInput for more than may ever be under way.
    """
    allowance = budget_check(organisation)
    _refuse_too_many(allowance, wanted)
    until = time.time() + settings.LANES[GENERATE].deadline_s
    slots = stream_slots_take(allowance, [each.answers for each in wanted], until=until)
    opened = 0
    try:
        for slot, each in zip(slots, wanted, strict=True):
            _open(slot, allowance, actor, each)
            opened += 1
    except Exception:
        for slot in slots[:opened]:
            streams.cancel_stream(slot)
        for slot in slots[opened:]:
            stream_slot_give(allowance.organisation, slot)
        raise
    return slots


def _refuse_too_many(allowance: Allowance, wanted: Sequence[Generation]) -> None:
    """To wait would not help."""
    answers, most = sum(each.answers for each in wanted), allowance.streams
    if answers <= most:
        return
    first = wanted[0]
    field = first.fields.get("prompt", "prompt")
    if first.answers > 1:
        field = "n" if first.sampling.get("n", 1) == first.answers else "beams"
    raise InvalidInput.field(field, f"asks for {answers} answers at once; your organisation may have {most}")


def _open(slot: str, allowance: Allowance, actor: Actor, wanted: Generation) -> None:
    payload = {
        "call": str(wanted.call),
        "holder": [actor.kind, actor.id],
        "model": wanted.model.id,
        "adapter": wanted.model.digest,
        "alias": wanted.model.alias,
        "shadow": wanted.model.shadow,
        "prompt": wanted.prompt,
        "sampling": wanted.sampling,
        "priority": wanted.priority,
        "fields": {"prompt": "prompt", "constraint": "constraint"} | wanted.fields,
    }
    client.open_stream(GENERATE, payload, organisation=allowance.organisation, stream_id=slot)


class GenerationEvents:
    """The events of a stream, the first of which is `start`; None while nothing comes. An error is raised.

    Give it up with `close`, and nobody writes on, also when nothing was read of it.
    """

    def __init__(self, *, organisation: Tenant, stream: str) -> None:
        give_back = partial(stream_slot_give, organisation, stream)
        self._stream, self._is_over = stream, False
        self._events = streams.read_stream(stream, organisation=organisation, abandoned=give_back)

    def __iter__(self) -> Iterator[StreamEvent | None]:
        return self

    def __next__(self) -> StreamEvent | None:
        if self._is_over:
            raise StopIteration
        try:
            event = next(self._events, _END)
        except BaseException:
            self.close()
            raise
        if event is _END:
            self.close()
            raise Unavailable("the answer broke off", retry_after=1)
        self._is_over = event is not None and event.type in streams.FINAL_TYPES
        if event is not None and event.type == "error":
            raise _told(event.data)
        return event

    def close(self) -> None:
        """Nobody wants the rest."""
        if not self._is_over:
            self._is_over = True
            streams.cancel_stream(self._stream)


def _told(data: dict[str, Any]) -> DomainError:
    """What the worker, or the lack of one, said; the latter is soon over."""
    error = from_dict(data)
    if isinstance(error, Unavailable):
        error.retry_after = 2
    return error


def embeddings_make(*, organisation: Tenant, actor: Actor, model: Served, texts: Texts) -> Embedded:
    """The vectors of the texts, in their order. Raises BudgetSpent, Busy, Unavailable or the engine's refusal.

    The lane gets a few of them at a time, so that others have their turn in between. The call is one answer under way:
    it may hold a thread of the web process for minutes.
    """
    allowance = budget_check(organisation)
    [slot] = stream_slots_take(allowance, [1], until=time.time() + settings.LANES[EMBED].deadline_s)
    streams.release_connection()
    began, found = time.monotonic(), list[dict[str, Any]]()
    try:
        _read_all(texts.payloads(model.digest), organisation, began, found)
    finally:  # what was read is counted, also when the rest was refused or late
        stream_slot_give(allowance.organisation, slot)
        made = Embedded(
            [base64.b64decode(each["vector"]) for each in found], sum(each["tokens"] for each in found)
        )
        if found:
            _count(organisation, actor, model, texts, made, (time.monotonic() - began) * 1000)
    return made


def _read_all(
    payloads: list[dict[str, Any]], organisation: Tenant, began: float, found: list[dict[str, Any]]
) -> None:
    lane = settings.LANES[EMBED]
    try:
        while few := payloads[len(found) : len(found) + lane.max_batch]:
            left = max(began + lane.deadline_s - time.monotonic(), 0.001)
            found += client.call(EMBED, few, organisation=organisation, deadline_s=left)
    except DeadlineExceeded:
        told = f"{len(found)} of {len(payloads)} texts were read in time; send fewer at once"
        raise DeadlineExceeded(told, retry_after=1) from None


def _count(
    organisation: Tenant, actor: Actor, model: Served, texts: Texts, made: Embedded, latency_ms: float
) -> None:
    call, read = uuid4(), texts.texts[: len(made.vectors)]
    with tenant(organisation) as owner:
        facts = embedding_facts(call, model, read, len(made.vectors[0]) // 4, made.tokens, latency_ms)
        decisions_record(organisation=owner, records=[facts])
        usage_record(organisation=owner, call=call, holder=actor, model=model.id, used=Used(made.tokens, 0))
