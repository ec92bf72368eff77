"""The personal data of the lists: of account holders, under their keys."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from apps.fraud.rules.models import LISTED, ListEntry, RulesInForce
from rootstock.privacy.fields import ROWS_AT_ONCE
from rootstock.privacy.holdings import Expiring, Kind, key_release
from rootstock.privacy.holds import held_subjects
from rootstock.privacy.keys import SubjectKey
from rootstock.privacy.subjects import key_destroy, keys_locked


def _entries(key: SubjectKey) -> QuerySet[ListEntry]:
    return ListEntry.objects.filter(Q(subject=key) | Q(other_subject=key))


def _export(key: SubjectKey) -> Iterator[dict[str, Any]]:
    """Of a pair only the part that is the person's; the reason belongs to the payer, who is named first."""
    for row in _entries(key).order_by("pk").iterator(chunk_size=ROWS_AT_ONCE):
        first = row.subject_id == key.pk
        yield {
            "id": row.pk, "effect": row.effect, "kind": row.kind, "account": row.value if first else row.other,
            "reason": row.reason if first else None, "channel": row.channel, "expires_at": row.expires_at,
            "created_at": row.created_at, "ended_at": row.ended_at,
        }  # fmt: skip


def entries_scrub(key: SubjectKey, old: int, new: int) -> None:
    """Entries of an account that is erased end, and a random key takes the place of its own."""
    found = _entries(key)
    if not found.exists():
        return
    RulesInForce.objects.update(lists=F("lists") + 1)
    change = RulesInForce.objects.values_list("lists", flat=True).get()
    found.filter(ended_in=None).update(ended_in=change, ended_by="system:erasure", ended_at=timezone.now())
    found.filter(subject=key, key=old).update(key=new)
    found.filter(other_subject=key, other_key=old).update(other_key=new)


def _delete(organisation: UUID, before: datetime, most: int) -> int:
    """Entries that had ended or expired by then, with the keys that nothing else lies under."""
    over = Q(ended_at__lt=before) | Q(ended_in=None, expires_at__lt=before)
    held = held_subjects()
    free = ListEntry.objects.filter(over).exclude(subject__in=held).exclude(other_subject__in=held)
    chosen = list(free.order_by("pk")[:most])
    persons = {pk for row in chosen for pk in (row.subject_id, row.other_subject_id) if pk}
    ending = keys_locked(persons)
    ListEntry.objects.filter(pk__in=[row.pk for row in chosen]).delete()
    for key in ending:
        if key.type == LISTED:
            key_destroy(key)
        else:
            key_release(key)
    return len(chosen)


ENDED = Expiring(
    "fraud.list_entries",
    "Ended list entries",
    "their end",
    _delete,
    lambda: ListEntry.objects.exclude(ended_in=None).exists(),
)
ENTRIES = Kind("fraud.list_entries", "List entries", lambda key: _entries(key).count(), _export)
