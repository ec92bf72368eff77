"""The personal data of the support desk: customers, and visitors who gave no name."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.support.models import CUSTOMER, VISITOR, Conversation, Turn
from apps.support.selectors import customer_reference
from rootstock.privacy.holdings import Expiring, Holdings, Kind, SubjectType, key_release
from rootstock.privacy.holds import held_subjects
from rootstock.privacy.keys import SubjectKey
from rootstock.privacy.subjects import keys_locked, subject_find


def _finder(type: str, normal: Callable[[str], str]) -> Callable[[UUID, str], list[SubjectKey]]:
    def find(organisation: UUID, reference: str) -> list[SubjectKey]:
        found = subject_find(organisation, type, normal(reference))
        return [found] if found else []

    return find


def _conversations(key: SubjectKey) -> Iterator[dict[str, Any]]:
    for row in Conversation.objects.filter(person=key).order_by("pk").iterator():
        yield {
            "id": row.pk, "subject": row.subject, "customer": row.customer, "state": row.state,
            "created_at": row.created_at, "last_activity_at": row.last_activity_at,
        }  # fmt: skip


def _turns(key: SubjectKey) -> Iterator[dict[str, Any]]:
    for row in Turn.objects.filter(conversation__person=key).order_by("conversation_id", "number").iterator():
        yield {
            "conversation": row.conversation_id, "number": row.number, "role": row.role, "text": row.text,
            "emotion": row.emotion_label, "emotion_scores": row.emotion_scores, "model": row.model_fingerprint,
            "adapter": row.adapter, "created_at": row.created_at,
        }  # fmt: skip


def _delete_conversations(organisation: UUID, before: datetime, most: int) -> int:
    old = Conversation.objects.filter(last_activity_at__lt=before).exclude(person__in=held_subjects())
    chosen = dict(old.order_by("last_activity_at").values_list("pk", "person_id")[:most])
    keys = keys_locked(set(chosen.values()))
    Conversation.objects.filter(pk__in=chosen).delete()
    for key in keys:
        key_release(key)
    return len(chosen)


_KINDS = (
    Kind(
        "support.conversations",
        "Conversations",
        lambda key: Conversation.objects.filter(person=key).count(),
        _conversations,
    ),
    Kind(
        "support.turns",
        "What was said",
        lambda key: Turn.objects.filter(conversation__person=key).count(),
        _turns,
    ),
)
HOLDINGS = Holdings(
    subjects=(
        SubjectType(
            CUSTOMER, "Customer", "the customer's reference", _finder(CUSTOMER, customer_reference), _KINDS
        ),
        SubjectType(VISITOR, "Unnamed visitor", "the conversation's id", _finder(VISITOR, str.strip), _KINDS),
    ),
    expiring=(
        Expiring(
            "support.conversations",
            "Conversations",
            "their last activity",
            _delete_conversations,
            lambda: Conversation.objects.exists(),
            batch=100,
        ),
    ),
)
