"""Reads of a support desk. Each returns objects or lists, never a lazy queryset across a tenant block."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Max, Q

from apps.support.models import Conversation, Turn
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound

PAGE_LIMIT = 100


@dataclass(slots=True, frozen=True)
class ConversationFilter:
    """What the list is narrowed to; empty means everything."""

    state: str = ""
    group: str = ""
    search: str = ""


@dataclass(slots=True, frozen=True)
class ConversationPage:
    """One page, newest conversation first. `cursor` fetches the next one; empty at the end."""

    items: list[Conversation]
    cursor: str


def conversation_locked(conversation_id: UUID) -> Conversation:
    """The conversation, locked for the caller's tenant transaction. NotFound when it is not this organisation's."""
    conversation = Conversation.objects.select_for_update().filter(pk=conversation_id).first()
    if conversation is None:
        raise NotFound("there is no such conversation")
    return conversation


def conversation_get(organisation: Organisation | UUID, conversation_id: UUID) -> tuple[Conversation, list[Turn]]:
    """A conversation with its turns in order. NotFound when it is not this organisation's."""
    with tenant(organisation):
        conversation = Conversation.objects.filter(pk=conversation_id).first()
        if conversation is None:
            raise NotFound("there is no such conversation")
        return conversation, list(conversation.turns.order_by("number"))


def conversation_page(
    organisation: Organisation | UUID, wanted: ConversationFilter, cursor: UUID | None = None, limit: int = 25
) -> ConversationPage:
    """Conversations, newest first. Identifiers grow with time, so the last one seen is the cursor."""
    size = max(1, min(limit, PAGE_LIMIT))
    condition = Q(pk__lt=cursor) if cursor else Q()
    if wanted.state:
        condition &= Q(state=wanted.state)
    if wanted.group:
        condition &= Q(last_group=wanted.group)
    if wanted.search:
        condition &= Q(subject__icontains=wanted.search) | Q(customer__icontains=wanted.search)
    with tenant(organisation):
        found = list(Conversation.objects.filter(condition).order_by("-pk")[: size + 1])
    return ConversationPage(found[:size], str(found[size - 1].pk) if len(found) > size else "")


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


def last_number(conversation: Conversation) -> int:
    """The number of the newest turn; 0 when there is none."""
    return conversation.turns.aggregate(last=Max("number"))["last"] or 0
