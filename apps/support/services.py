"""What can be done at a support desk. Every function takes the organisation and opens its own tenant block."""

import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.support import selectors
from apps.support.evidence import emotion_facts, reply_facts
from apps.support.models import CUSTOMER, TEXT_LIMIT, VISITOR, Conversation, Desk, Turn
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.decisions import decisions_record
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, DomainError, InvalidInput
from rootstock.ids import uuid7
from rootstock.lanes import client, streams
from rootstock.privacy.fields import sealed
from rootstock.privacy.models import SubjectKey
from rootstock.privacy.subjects import subject_ensure
from rootstock.webhooks.services import event_emit

EMOTION_LANE = "support.emotion"
REPLY_LANE = "support.reply"
# Begins every conversation, whatever the desk's greeting says: people are told that they talk to a machine
# (Regulation (EU) 2024/1689, Article 50(1)).
DISCLOSURE = "You are talking to an AI assistant."

Tenant = Organisation | UUID


@dataclass(slots=True, frozen=True)
class Exchange:
    """A customer's turn and the answer that is being generated for it."""

    message: Turn
    answer: Turn


@dataclass(slots=True, frozen=True)
class Outcome:
    """How the generation of an answer ended, and by which versions."""

    state: str
    text: str
    finish_reason: str
    adapter: str = ""
    adapter_digest: str = ""
    fingerprint: str = ""
    tokens: int = 0
    first_token_ms: float | None = None
    tokens_per_second: float | None = None
    latency_ms: float = 0.0
    input_hash: bytes = b""  # of what the model was shown; empty when it was not asked


def desk_ensure(*, organisation: Organisation) -> Desk:
    """The organisation's desk, made with plain settings when there is none yet."""
    with tenant(organisation) as owner:
        desk, _ = Desk.objects.get_or_create(
            organisation_id=owner,
            defaults={
                "name": organisation.name,
                "greeting": f"Hello and welcome to {organisation.name}. How can I help?",
                "system_prompt": f"You are the AI assistant of {organisation.name}. Answer briefly and kindly.",
            },
        )
        return desk


def desk_update(*, organisation: Organisation, **changes: Any) -> Desk:
    """Change the desk's settings. An adapter that does not exist is refused here, not at the next question."""
    if changes.get("adapter"):
        selectors.adapter_chosen(organisation, changes["adapter"])
    desk = desk_ensure(organisation=organisation)
    with tenant(organisation):
        for name, value in changes.items():
            setattr(desk, name, value)
        desk.save(update_fields=list(changes))
        told = {"fields": sorted(changes), "adapter": desk.adapter}
        audit_record(
            organisation=organisation,
            action="desk.changed",
            object_type="desk",
            object_id=desk.pk,
            data=told,
        )
    return desk


def conversation_start(*, organisation: Organisation, subject: str = "", customer: str = "") -> Conversation:
    """Open a conversation. It begins by saying that an AI is speaking; the desk's greeting follows."""
    desk = desk_ensure(organisation=organisation)
    now, conversation_id, customer = timezone.now(), uuid7(), customer.strip()
    with tenant(organisation) as owner:
        person = _person(owner, conversation_id, customer)
        conversation = Conversation.objects.create(
            pk=conversation_id,
            organisation_id=owner,
            person=person,
            subject=subject.strip(),
            customer=customer,
            turn_count=1,
            last_activity_at=now,
        )
        Turn.objects.create(
            organisation_id=owner,
            person=person,
            conversation=conversation,
            number=1,
            role=Turn.Role.ASSISTANT,
            text=f"{DISCLOSURE} {desk.greeting}",
            finish_reason="greeting",
            finished_at=now,
        )
        _conversation_audit(organisation, "conversation.started", conversation_id)
    return conversation


def _person(organisation: UUID, conversation_id: UUID, customer: str) -> SubjectKey:
    """The customer, the same one in every conversation; where none is named, the conversation stands for them."""
    if customer:
        return subject_ensure(organisation, CUSTOMER, selectors.customer_reference(customer))
    return subject_ensure(organisation, VISITOR, str(conversation_id))


def conversation_close(*, organisation: Tenant, conversation_id: UUID) -> Conversation:
    """Close a conversation; an answer in flight is stopped."""
    with tenant(organisation):
        conversation = selectors.conversation_locked(conversation_id)
        if conversation.state != Conversation.State.CLOSED:
            data = {"conversation": str(conversation.pk)}
            event_emit(organisation=organisation, type="support.conversation_closed", data=data)
            _conversation_audit(organisation, "conversation.closed", conversation.pk)
        conversation.state = Conversation.State.CLOSED
        conversation.save(update_fields=["state"])
        pending = list(conversation.turns.filter(state=Turn.State.PENDING).exclude(stream_id=""))
    for answer in pending:
        streams.cancel_stream(answer.stream_id)
    return conversation


def message_post(
    *, organisation: Organisation, conversation_id: UUID, text: str, adapter: str = "", tries: bool = False
) -> Exchange:
    """Store the customer's turn with its emotion and start the answer. tries: see `adapter_chosen`.

    Everything that can be refused is refused before anything is stored: a caller that gets 429 or 503 may send
    the same message again. The lanes are called outside of any transaction, so that no connection waits on a model.
    """
    text = _checked_text(text)
    desk = desk_ensure(organisation=organisation)
    _check_open(organisation, conversation_id)
    key = str(conversation_id)  # of an alias with a canary a conversation keeps its version
    chosen = selectors.adapter_chosen(organisation, adapter or desk.adapter, key=key, tried=tries)
    started = time.monotonic()
    asked = {"text": text, "adapter": asdict(selectors.emotion_chosen(organisation, key))}
    [emotion] = client.call(EMOTION_LANE, [asked], organisation=organisation)
    emotion["latency_ms"] = (time.monotonic() - started) * 1000
    exchange = _exchange_create(organisation, conversation_id, text, emotion, chosen.reference)
    try:
        stream_id = client.open_stream(
            REPLY_LANE,
            {"answer": str(exchange.answer.pk), "adapter": asdict(chosen)},
            organisation=organisation,
        )
    except DomainError:
        _exchange_discard(organisation, exchange)
        raise
    _exchange_opened(organisation, exchange, stream_id)
    return exchange


def answer_stop(*, organisation: Tenant, conversation_id: UUID, message_id: UUID) -> Turn:
    """Ask the worker to stop an answer. What was said so far is kept, as a cancelled turn."""
    answer = selectors.answer_get(organisation, conversation_id, message_id)
    if answer.state == Turn.State.PENDING and answer.stream_id:
        streams.cancel_stream(answer.stream_id)
        _conversation_audit(organisation, "answer.stopped", conversation_id)
    return answer


def answer_finish(*, organisation: Tenant, answer_id: UUID, outcome: Outcome) -> bool:
    """Store how an answer ended. Only the first call for an answer writes; the others return False."""
    now = timezone.now()
    with tenant(organisation):
        pending = Turn.objects.select_related("person").filter(pk=answer_id, state=Turn.State.PENDING)
        if (turn := pending.first()) is None or turn.person.is_destroyed:
            return False
        changed = pending.update(
            state=outcome.state,
            text=sealed(Turn, "text", row=answer_id, key=turn.person, value=outcome.text),
            finish_reason=outcome.finish_reason,
            adapter=outcome.adapter,
            model_fingerprint=outcome.fingerprint,
            tokens=outcome.tokens,
            first_token_ms=outcome.first_token_ms,
            tokens_per_second=outcome.tokens_per_second,
            finished_at=now,
        )
        Conversation.objects.filter(turns=answer_id).update(last_activity_at=now)
        if changed and outcome.input_hash:
            decisions_record(organisation=organisation, records=[reply_facts(answer_id, outcome)])
    return bool(changed)


def answers_expire(*, organisation: Tenant, conversation_id: UUID | None = None) -> int:
    """Mark answers that nobody is writing any more as failed: their worker died, or their deadline has passed."""
    with tenant(organisation):
        pending = Turn.objects.filter(state=Turn.State.PENDING)
        if conversation_id is not None:
            pending = pending.filter(conversation_id=conversation_id)
        lost = [turn.pk for turn in pending if _is_lost(turn)]
        return Turn.objects.filter(pk__in=lost, state=Turn.State.PENDING).update(
            state=Turn.State.FAILED, finish_reason="lost", finished_at=timezone.now()
        )


def _conversation_audit(organisation: Tenant, action: str, conversation_id: UUID) -> None:
    audit_record(
        organisation=organisation, action=action, object_type="conversation", object_id=conversation_id
    )


def _is_lost(turn: Turn) -> bool:
    overdue = turn.deadline_at is not None and turn.deadline_at < timezone.now()
    return overdue or bool(turn.stream_id and streams.is_abandoned(turn.stream_id))


def _checked_text(text: str) -> str:
    cleaned = text.replace("\x00", "").strip()
    if not cleaned:
        raise InvalidInput.field("text", "must not be empty")
    if len(cleaned) > TEXT_LIMIT:
        raise InvalidInput.field(
            "text", f"is {len(cleaned)} characters long; at most {TEXT_LIMIT} are accepted"
        )
    return cleaned


def _check_open(organisation: Tenant, conversation_id: UUID) -> None:
    answers_expire(organisation=organisation, conversation_id=conversation_id)
    with tenant(organisation):
        _refuse_unless_ready(selectors.conversation_locked(conversation_id))


def _refuse_unless_ready(conversation: Conversation) -> None:
    if conversation.state == Conversation.State.CLOSED:
        raise Conflict("the conversation is closed; start a new one")
    if conversation.turns.filter(state=Turn.State.PENDING).exists():
        raise Conflict("the previous answer is still being written; wait for it or stop it")


def _exchange_create(
    organisation: Tenant, conversation_id: UUID, text: str, emotion: dict[str, Any], reference: str
) -> Exchange:
    now = timezone.now()
    deadline = now + timedelta(seconds=settings.LANES[REPLY_LANE].deadline_s + 5)
    with tenant(organisation) as owner:
        conversation = selectors.conversation_locked(conversation_id)
        _refuse_unless_ready(conversation)
        common = {"organisation_id": owner, "conversation": conversation, "person": conversation.person}
        number = selectors.last_number(conversation) + 1
        message = Turn.objects.create(
            **common,
            number=number,
            role=Turn.Role.USER,
            text=text,
            finished_at=now,
            emotion_scores=emotion["scores"],
            emotion_label=emotion["label"],
            emotion_group=emotion["group"],
            emotion_level=emotion["level"],
            emotion_intensity=emotion["intensity"],
            adapter=emotion["adapter"],
            model_fingerprint=emotion["fingerprint"],
        )
        answer = Turn.objects.create(
            **common,
            number=number + 1,
            role=Turn.Role.ASSISTANT,
            text="",
            state=Turn.State.PENDING,
            reply_to=message,
            adapter=reference,
            deadline_at=deadline,
        )
        read = emotion_facts(message.pk, text, emotion, emotion["latency_ms"])
        decisions_record(organisation=organisation, records=[read])
    return Exchange(message, answer)


def _exchange_opened(organisation: Tenant, exchange: Exchange, stream_id: str) -> None:
    """The worker has the answer: remember its stream, and show the new reading on the conversation."""
    message, answer = exchange.message, exchange.answer
    answer.stream_id = stream_id
    with tenant(organisation):
        Turn.objects.filter(pk=answer.pk).update(stream_id=stream_id)
        conversation = selectors.conversation_locked(message.conversation_id)
        before, level = conversation.last_level, message.emotion_level or 0.0
        conversation.level_change = None if before is None else round(level - before, 4)
        conversation.last_level = level
        conversation.last_label = message.emotion_label
        conversation.last_group = message.emotion_group
        conversation.turn_count = answer.number
        conversation.last_activity_at = timezone.now()
        conversation.save()


def _exchange_discard(organisation: Tenant, exchange: Exchange) -> None:
    with tenant(organisation):
        exchange.message.delete()  # the answer goes with it
