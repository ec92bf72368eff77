"""Subjects: find a person's key by reference, make it where there is none, destroy it."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict, NotFound
from rootstock.privacy.indexes import blind_index, blind_indexes
from rootstock.privacy.keys import SubjectKey

_INSERT = """
INSERT INTO privacy_subjectkey
    (id, organisation_id, type, reference_index, wrapped, master_key, fingerprint, created_at)
SELECT id, %(organisation)s, %(type)s, reference, wrapped, master, fingerprint, %(now)s
FROM unnest(%(ids)s::uuid[], %(references)s::bytea[], %(wrapped)s::bytea[], %(masters)s::text[],
            %(fingerprints)s::text[]) AS made(id, reference, wrapped, master, fingerprint)
ON CONFLICT (organisation_id, type, reference_index) DO NOTHING RETURNING id
"""


# A reader of keys is about to write under them: a destruction in flight is waited for, and the key then not found.
_FIND = """
SELECT * FROM privacy_subjectkey WHERE type = %s AND reference_index = ANY(%s) ORDER BY id FOR KEY SHARE
"""


def purpose_of(type: str) -> str:
    """What the references of a subject type are indexed for."""
    return f"subject {type}"


def subject_ensure(organisation: Organisation | UUID, type: str, reference: str) -> SubjectKey:
    """The key of one person, made on first use. Call it inside `tenant()`."""
    return subjects_ensure(organisation, type, [reference])[reference]


def subjects_ensure(
    organisation: Organisation | UUID, type: str, references: Iterable[str]
) -> dict[str, SubjectKey]:
    """The keys of several persons by reference, made on first use, with two queries. Call it inside `tenant()`.

    Until the transaction ends none of them is destroyed: what is stored under them is counted by whoever would.
    """
    wanted = list(dict.fromkeys(references))
    owner = organisation if isinstance(organisation, UUID) else organisation.pk
    indexes = dict(zip(wanted, blind_indexes(owner, purpose_of(type), wanted), strict=True))
    found = _by_index(type, indexes.values())
    missing = sorted(set(indexes.values()) - found.keys())  # one order for all writers: no deadlock
    if missing:
        made = [SubjectKey.make(owner, type, index) for index in missing]
        stored = _insert(owner, type, made)
        found |= {bytes(key.reference_index or b""): key for key in made if key.pk in stored}
        found |= _by_index(type, set(missing) - found.keys())
    return {reference: found[index] for reference, index in indexes.items()}


def subject_find(organisation: Organisation | UUID, type: str, reference: str) -> SubjectKey | None:
    """The key of a person, if there is one and it is not destroyed. Call it inside `tenant()`."""
    index = blind_index(organisation, purpose_of(type), reference)
    return SubjectKey.objects.filter(type=type, reference_index=index).first()


def subject_get(organisation: Organisation | UUID, subject_id: UUID) -> SubjectKey:
    """A subject by id, destroyed or not. Raises NotFound."""
    with tenant(organisation):
        key = SubjectKey.objects.filter(pk=subject_id).first()
    if key is None:
        raise NotFound("no such subject")
    return key


def subjects_locked(ids: Collection[UUID], field: str) -> list[SubjectKey]:
    """Subjects of whom something is about to be stored, locked against an erasure at the same time.

    Raises NotFound and Conflict naming the field. Call it inside `tenant()`.
    """
    wanted = set(ids)
    found = _locked(wanted)
    if len(found) < len(wanted):
        raise NotFound(f"{field}: no such subject")
    if any(key.is_destroyed for key in found):
        raise Conflict(f"{field}: the person's data was erased")
    return found


def keys_locked(ids: Collection[UUID]) -> list[SubjectKey]:
    """The keys, without destroyed ones, of persons of whom something is about to be deleted; nothing is added then.

    Take them before the rows, as an erasure does, and all at once: no deadlock. Call it inside `tenant()`.
    """
    return [key for key in _locked(ids) if not key.is_destroyed]


def key_destroy(key: SubjectKey) -> None:
    """Overwrite the wrapped key and forget whom it belonged to. Nothing brings it back. Call it inside `tenant()`."""
    key.wrapped, key.reference_index, key.destroyed_at = b"", None, timezone.now()
    key.forget()
    key.save(update_fields=["wrapped", "reference_index", "destroyed_at"])


def _by_index(type: str, indexes: Iterable[bytes]) -> dict[bytes, SubjectKey]:
    wanted = list(indexes)
    if not wanted:
        return {}
    found = SubjectKey.objects.raw(_FIND, [type, wanted])
    return {bytes(key.reference_index or b""): key for key in found}


def _locked(ids: Collection[UUID]) -> list[SubjectKey]:
    return list(SubjectKey.objects.select_for_update().filter(pk__in=ids).order_by("pk"))


def _insert(organisation: UUID, type: str, keys: list[SubjectKey]) -> set[UUID]:
    """Those that were stored: a person who is there already is left alone."""
    values: dict[str, Any] = {
        "organisation": organisation,
        "type": type,
        "now": timezone.now(),
        "ids": [key.pk for key in keys],
        "references": [key.reference_index for key in keys],
        "wrapped": [key.wrapped for key in keys],
        "masters": [key.master_key for key in keys],
        "fingerprints": [key.fingerprint for key in keys],
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        return {row[0] for row in cursor.fetchall()}
