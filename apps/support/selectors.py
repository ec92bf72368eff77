"""Reads of a support desk. Each returns objects or lists, never a lazy queryset across a tenant block."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Max, Q

from apps.support.context import Said
from apps.support.models import CUSTOMER, Conversation, Desk, Turn
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound
from rootstock.paging import take_page
from rootstock.privacy.fields import is_erased
from rootstock.privacy.indexes import normal_form
from rootstock.privacy.subjects import subject_find
from rootstock.registry.resolving import Chosen, choose, choose_own

EMOTION_ALIAS = "support-emotion:production"
# More turns than this never fit the token budget anyway.
CONTEXT_TURNS = 60
# Words within encrypted texts are looked for by opening so many of the newest conversations.
SEARCHED = 2_000


@dataclass(slots=True, frozen=True)
class ConversationFilter:
    """What the list is narrowed to; empty means everything."""

    state: str = ""
    group: str = ""
    search: str = ""


@dataclass(slots=True, frozen=True)
class ReplyTask:
    """What an answer is written from: the desk, the customer's turn, and what was said up to it."""

    desk: Desk
    message: Turn
    turns: list[Said]


def conversation_locked(conversation_id: UUID) -> Conversation:
    """The conversation, locked for the caller's tenant transaction. NotFound when it is not this organisation's."""
    conversation = Conversation.objects.select_for_update().filter(pk=conversation_id).first()
    if conversation is None:
        raise NotFound("there is no such conversation")
    return conversation


def conversation_get(
    organisation: Organisation | UUID, conversation_id: UUID
) -> tuple[Conversation, list[Turn]]:
    """A conversation with its turns in order. NotFound when it is not this organisation's."""
    with tenant(organisation):
        conversation = Conversation.objects.filter(pk=conversation_id).first()
        if conversation is None:
            raise NotFound("there is no such conversation")
        return conversation, list(conversation.turns.order_by("number"))


def conversation_page(
    organisation: Organisation | UUID, wanted: ConversationFilter, cursor: str | None = None, limit: int = 25
) -> tuple[list[Conversation], str | None]:
    """A page of conversations, newest first, and the next cursor."""
    condition = Q()
    if wanted.state:
        condition &= Q(state=wanted.state)
    if wanted.group:
        condition &= Q(last_group=wanted.group)
    with tenant(organisation) as owner:
        if wanted.search.strip():
            condition &= conversations_matching(owner, wanted.search)
        return take_page(Conversation.objects.filter(condition), cursor=cursor, limit=limit)


def customer_reference(customer: str) -> str:
    """A customer as a person is found by: upper and lower case are the same."""
    return normal_form(customer, folded=True)


def conversations_matching(organisation: UUID, text: str) -> Q:
    """All conversations of exactly this customer, and of the newest those with the text in subject or customer.

    Both are encrypted: the customer has a blind index, the words are found by opening. Call it inside `tenant()`.
    """
    wanted = customer_reference(text)
    person = subject_find(organisation, CUSTOMER, wanted)
    newest = Conversation.objects.only("person", "subject", "customer").order_by("-pk")[:SEARCHED]
    found = [row.pk for row in newest if _mentions(row, wanted)]
    return Q(pk__in=found) | Q(person=person) if person else Q(pk__in=found)


def _mentions(row: Conversation, wanted: str) -> bool:
    if is_erased(row.subject):
        return False
    return any(wanted in normal_form(text, folded=True) for text in (row.subject, row.customer))


def answer_get(organisation: Organisation | UUID, conversation_id: UUID, message_id: UUID) -> Turn:
    """The answer with this id, or the answer to the customer's turn with this id."""
    with tenant(organisation):
        answer = Turn.objects.filter(
            Q(pk=message_id) | Q(reply_to=message_id),
            conversation_id=conversation_id,
            role=Turn.Role.ASSISTANT,
        ).first()
    if answer is None:
        raise NotFound("there is no such answer in this conversation")
    return answer


def turn_get(organisation: Organisation | UUID, turn_id: UUID) -> Turn:
    """One turn."""
    with tenant(organisation):
        turn = Turn.objects.filter(pk=turn_id).first()
    if turn is None:
        raise NotFound("there is no such turn")
    return turn


def reply_task(organisation: Organisation | UUID, answer_id: UUID) -> ReplyTask:
    """What the worker needs to write an answer. NotFound when the answer was taken back meanwhile."""
    with tenant(organisation):
        answer = Turn.objects.select_related("reply_to").filter(pk=answer_id).first()
        if answer is None or answer.reply_to is None:
            raise NotFound("there is no such answer")
        earlier = Turn.objects.filter(conversation=answer.conversation_id, number__lt=answer.number)
        newest = list(earlier.order_by("-number")[:CONTEXT_TURNS])
        turns = [Said(turn.role, turn.text) for turn in reversed(newest) if turn.text]
        return ReplyTask(Desk.objects.get(), answer.reply_to, turns)


def counts(organisation: Organisation | UUID) -> dict[str, int]:
    """All conversations, the open ones, and those of them whose customer was upset at last."""
    with tenant(organisation):
        found = Conversation.objects.filter(state=Conversation.State.OPEN)
        upset = found.filter(last_group="upset").count()
        return {"all": Conversation.objects.count(), "open": found.count(), "upset": upset}


def last_number(conversation: Conversation) -> int:
    """The number of the newest turn; 0 when there is none."""
    return conversation.turns.aggregate(last=Max("number"))["last"] or 0


def emotion_chosen(organisation: Organisation | UUID, key: str) -> Chosen:
    """The adapter that reads the emotions of the conversation `key`, where the organisation serves one of its own."""
    return choose_own(organisation=organisation, alias=EMOTION_ALIAS, task="classification", key=key)


def adapter_chosen(
    organisation: Organisation | UUID, name: str, *, key: str = "", tried: bool = False
) -> Chosen:
    """The adapter that `name`, a version or an alias, means for the conversation `key`; none means the base model.
    tried: by somebody who makes adapters, who may before two people have agreed on it.

    Raises InvalidInput, NotFound or Forbidden naming `adapter`: another one never answers instead, nor the base.
    """
    if not name:
        return Chosen()
    return choose(organisation=organisation, name=name, task="chat", key=key, tried=tried)
