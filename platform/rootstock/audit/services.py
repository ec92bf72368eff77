"""Writes of the audit trail: what was done, what was read, and what people do with decisions."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from rootstock.accounts.actors import Actor, current_actor
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.canonical import leaf_digest, plain
from rootstock.audit.keys import keyed_hash
from rootstock.audit.models import ActionKind, ActionReason, AuditEntry, DecisionRecord, HumanAction
from rootstock.errors import InvalidInput, NotFound
from rootstock.ids import uuid7_at
from rootstock.middleware import request_id
from rootstock.privacy.models import SubjectKey
from rootstock.privacy.subjects import subject_ensure

REASON_LIMIT = 1000
READ_AGAIN = timedelta(minutes=1)
"""The same person reading the same thing again within this time adds no entry."""


def audit_record(
    *,
    organisation: Organisation | UUID,
    action: str,
    object_type: str,
    object_id: object = "",
    data: dict[str, Any] | None = None,
    actor: Actor | None = None,
) -> None:
    """Append one entry in the transaction of what it tells of. `data` holds ids, names of fields and settings."""
    who = actor or current_actor()
    with tenant(organisation) as organisation_id:
        entry = AuditEntry(
            organisation_id=organisation_id,
            actor_kind=who.kind,
            actor_id=who.id,
            action=action,
            object_type=object_type,
            object_id=str(object_id),
            data=plain(data or {}),
            request_id=request_id.get(),
        )
        entry.digest = leaf_digest(entry)
        entry.save(force_insert=True)


def read_record(
    *, organisation: Organisation | UUID, subject_type: str, subject_id: object, what: str
) -> None:
    """Record that the current actor read a person's data: whose (`subject_*`), and `what` of it ("notes")."""
    _read(organisation, f"{subject_type}.read", subject_type, str(subject_id), {"what": what})


def list_read_record(
    *, organisation: Organisation | UUID, subject_type: str, subject_ids: Iterable[object], what: str
) -> None:
    """Record that the current actor read a list of persons' data: one entry for the page, with the ids on it."""
    ids = [str(one) for one in subject_ids]
    if ids:
        data = {"what": what, "count": len(ids), "ids": ids}
        _read(organisation, f"{subject_type}.listed", subject_type, "", data)


def reasons_read(record: DecisionRecord) -> None:
    """Record that the current actor read what people wrote about a decision: it lies under a person's key."""
    with tenant(record.organisation_id):
        has_words = ActionReason.objects.filter(action__decision=record).exists()
    if has_words:
        read_record(
            organisation=record.organisation_id,
            subject_type=record.subject_type,
            subject_id=record.subject_id,
            what="reasons",
        )


def _read(
    organisation: Organisation | UUID, action: str, object_type: str, object_id: str, data: dict[str, Any]
) -> None:
    """A page that renews itself, or a list turned back to, is one reading: coalesced within a minute."""
    who = current_actor()
    with tenant(organisation):
        earlier = AuditEntry.objects.filter(
            organisation_id=organisation if isinstance(organisation, UUID) else organisation.pk,
            object_type=object_type,
            object_id=object_id,
            id__gt=uuid7_at(timezone.now() - READ_AGAIN),
            action=action,
            actor_kind=who.kind,
            actor_id=who.id,
            data=data,
        )
        if not earlier.exists():
            audit_record(
                organisation=organisation,
                action=action,
                object_type=object_type,
                object_id=object_id,
                data=data,
                actor=who,
            )


def action_record(
    *,
    organisation: Organisation | UUID,
    decision_id: UUID,
    action: str,
    reason: str,
    actor: Actor | None = None,
) -> HumanAction:
    """What a person does with a decision. Raises NotFound, and InvalidInput for `action` or `reason`."""
    reason = _checked(action, reason)
    who = actor or current_actor()
    with tenant(organisation) as organisation_id:
        record = DecisionRecord.objects.filter(pk=decision_id).first()
        if record is None:
            raise NotFound("no such decision")
        done = HumanAction(
            organisation_id=organisation_id,
            decision_id=decision_id,
            action=action,
            actor_kind=who.kind,
            actor_id=who.id,
            reason_hash=keyed_hash(organisation_id, reason.encode()),
            request_id=request_id.get(),
        )
        done.digest = leaf_digest(done)
        done.save(force_insert=True)
        _keep_reason(done, record, reason)
    return done


def _keep_reason(done: HumanAction, record: DecisionRecord, reason: str) -> None:
    """Its words, under the key of the person whom the decision concerns; nothing where that person was erased."""
    person = _person_of(record)
    if not person.is_destroyed:
        done.reason = ActionReason.objects.create(
            organisation_id=record.organisation_id, action=done, subject=person, text=reason
        )


def _person_of(record: DecisionRecord) -> SubjectKey:
    find = settings.AUDIT_PERSONS.get(record.subject_type)
    person: SubjectKey | None = import_string(find)(record.subject_id) if find else None
    if person is None:  # of nobody, or no longer there: the decision is a subject of its own
        person = subject_ensure(record.organisation_id, "decision", str(record.pk))
    return person


def _checked(action: str, reason: str) -> str:
    if action not in ActionKind.values:
        raise InvalidInput.field("action", f"must be one of {', '.join(ActionKind.values)}")
    reason = reason.strip()
    if not reason and action != ActionKind.CONFIRMED:
        raise InvalidInput.field("reason", "must say why the decision is overridden or released")
    if len(reason) > REASON_LIMIT:
        raise InvalidInput.field("reason", f"must have at most {REASON_LIMIT} characters")
    return reason
