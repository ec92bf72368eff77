"""Ask the engine for text or vectors on behalf of an organisation: within its budget, and in its name."""

import base64
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from uuid import UUID, uuid4

from django.conf import settings

from rootstock.accounts.actors import Actor
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.decisions import decisions_record
from rootstock.errors import DeadlineExceeded, DomainError, Unavailable, from_dict
from rootstock.gateway.budgets import (
    Allowance,
    Used,
    budget_check,
    stream_slot_give,
    stream_slot_take,
    usage_record,
)
from rootstock.gateway.facts import embedding_facts
from rootstock.gateway.served import Served
from rootstock.lanes import client, streams
from rootstock.lanes.streams import StreamEvent

GENERATE, EMBED = "gateway.generate", "gateway.embed"
Tenant = Organisation | UUID
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


def generation_open(*, organisation: Tenant, actor: Actor, wanted: Generation) -> str:
    """Start writing; returns the id of the stream that `lanes.streams` reads.

    Events: `start` {model, fingerprint}, `token` {text, index, logprobs?}, `done` {usage, finish, timings}, `error`.
    The worker counts the usage and keeps the decision record. Raises BudgetSpent, Busy or Unavailable.
    """
    return generations_open(organisation=organisation, actor=actor, wanted=[wanted])[0]


def generations_open(*, organisation: Tenant, actor: Actor, wanted: Sequence[Generation]) -> list[str]:
    """Start several at once: all of them or none."""
    allowance, opened = budget_check(organisation), list[str]()
    try:
        for each in wanted:
            opened.append(_open(allowance, actor, each))
    except Exception:
        for stream in opened:
            streams.cancel_stream(stream)
        raise
    return opened


def _open(allowance: Allowance, actor: Actor, wanted: Generation) -> str:
    slot = stream_slot_take(allowance, until=time.time() + settings.LANES[GENERATE].deadline_s)
    payload = {
        "call": str(wanted.call),
        "holder": [actor.kind, actor.id],
        "model": wanted.model.id,
        "adapter": wanted.model.adapter,
        "prompt": wanted.prompt,
        "sampling": wanted.sampling,
        "priority": wanted.priority,
        "fields": {"prompt": "prompt", "constraint": "constraint"} | wanted.fields,
    }
    try:
        return client.open_stream(GENERATE, payload, organisation=allowance.organisation, stream_id=slot)
    except Exception:
        stream_slot_give(allowance.organisation, slot)
        raise


def generation_events(*, organisation: Tenant, stream: str) -> Generator[StreamEvent | None, None, None]:
    """The events of a stream, the first of which is `start`; None while nothing comes. An error is raised.

    Give it up with `close`, and nobody writes on.
    """
    finished, give_back = False, partial(stream_slot_give, organisation, stream)
    try:
        for event in streams.read_stream(stream, organisation=organisation, abandoned=give_back):
            if event is not None and event.type == "error":
                finished = True
                raise _told(event.data)
            finished = event is not None and event.type == "done"
            yield event
        if not finished:
            raise Unavailable("the answer broke off", retry_after=1)
    finally:
        if not finished:
            streams.cancel_stream(stream)


def _told(data: dict[str, Any]) -> DomainError:
    """What the worker, or the lack of one, said; the latter is soon over."""
    error = from_dict(data)
    if isinstance(error, Unavailable):
        error.retry_after = 2
    return error


def embeddings_make(*, organisation: Tenant, actor: Actor, model: Served, texts: Texts) -> Embedded:
    """The vectors of the texts, in their order. Raises BudgetSpent, Busy, Unavailable or the engine's refusal.

    The lane gets a few of them at a time, so that others have their turn in between.
    """
    budget_check(organisation)
    streams.release_connection()
    began = time.monotonic()
    lane, payloads, found = settings.LANES[EMBED], texts.payloads(model.adapter), list[dict[str, Any]]()
    while few := payloads[len(found) : len(found) + lane.max_batch]:
        left = began + lane.deadline_s - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded("the texts were not read in time", retry_after=1)
        found += client.call(EMBED, few, organisation=organisation, deadline_s=left)
    vectors = [base64.b64decode(each["vector"]) for each in found]
    tokens, latency_ms = sum(each["tokens"] for each in found), (time.monotonic() - began) * 1000
    call = uuid4()
    with tenant(organisation) as owner:
        facts = embedding_facts(call, model, texts.texts, len(vectors[0]) // 4, tokens, latency_ms)
        decisions_record(organisation=owner, records=[facts])
        usage_record(organisation=owner, call=call, holder=actor, model=model.id, used=Used(tokens, 0))
    return Embedded(vectors, tokens)
