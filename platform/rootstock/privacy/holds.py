"""Legal holds: whoever is under one keeps everything that is held of them."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput, NotFound
from rootstock.privacy.models import LegalHold, SubjectKey
from rootstock.privacy.persons import name_of

REASON_LIMIT = 500


def held_subjects() -> "QuerySet[LegalHold, UUID]":
    """The ids of everybody under a hold, to exclude. Call it inside `tenant()`."""
    return LegalHold.objects.filter(released_at=None).values_list("subject_id", flat=True)


def is_held(key: SubjectKey) -> bool:
    """Whether a hold lasts. Call it inside `tenant()`."""
    return key.holds.filter(released_at=None).exists()


def refuse_if_held(key: SubjectKey) -> None:
    """Raise Conflict while a hold lasts. Call it inside `tenant()`."""
    if is_held(key):
        raise Conflict("the person is under a legal hold; release it first")


def hold_place(*, organisation: Organisation, subject_id: UUID, reason: str) -> LegalHold:
    """Put a person under a legal hold."""
    reason = reason.strip()
    if not 1 <= len(reason) <= REASON_LIMIT:
        raise InvalidInput.field("reason", f"must have 1 to {REASON_LIMIT} characters")
    with tenant(organisation) as owner:
        key = _locked(subject_id)
        if is_held(key):
            raise Conflict("the person is under a legal hold already")
        hold = LegalHold.objects.create(
            organisation_id=owner, subject=key, reason=reason, placed_by=name_of()
        )
        _record(organisation, "subject.held", key)
    return hold


def hold_release(*, organisation: Organisation, subject_id: UUID) -> None:
    """End a person's hold. Raises NotFound where there is none."""
    with tenant(organisation):
        key = _locked(subject_id)
        released = LegalHold.objects.filter(subject=key, released_at=None).update(
            released_at=timezone.now(), released_by=name_of()
        )
        if not released:
            raise NotFound("the person is not under a legal hold")
        _record(organisation, "subject.released", key)


def _locked(subject_id: UUID) -> SubjectKey:
    """The key, locked against an erasure at the same time."""
    key = SubjectKey.objects.select_for_update().filter(pk=subject_id).first()
    if key is None:
        raise NotFound("no such subject")
    if key.is_destroyed:
        raise Conflict("the person's data was erased")
    return key


def _record(organisation: Organisation, action: str, key: SubjectKey) -> None:
    audit_record(organisation=organisation, action=action, object_type=key.type, object_id=key.pk)
