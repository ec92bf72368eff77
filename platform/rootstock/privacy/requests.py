"""Requests about one person's data: asked for, confirmed by a second person, carried out."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any, BinaryIO
from uuid import UUID

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record, read_record
from rootstock.errors import Conflict, Forbidden, InvalidInput, NotFound
from rootstock.files.contents import content_delete
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_create
from rootstock.privacy.archives import archive_open
from rootstock.privacy.erasure import subject_erase
from rootstock.privacy.holds import refuse_if_held
from rootstock.privacy.models import (
    Action,
    ErasureCertificate,
    Ground,
    PrivacyRequest,
    PrivacySettings,
    RequestState,
    SubjectKey,
)
from rootstock.privacy.persons import check_two_persons, name_of, person_behind
from rootstock.webhooks.services import event_emit

EXPORT_KIND = "privacy.export"
NOTE_LIMIT = 1000
FOUR_EYES_OFF = "settings:write"


def settings_of(organisation: Organisation | UUID) -> PrivacySettings:
    """How the organisation handles requests: its own settings, or the defaults."""
    with tenant(organisation) as owner:
        return PrivacySettings.objects.first() or PrivacySettings(organisation_id=owner)


def settings_update(
    *,
    organisation: Organisation,
    four_eyes: bool,
    archive_days: int,
    granted: Collection[str] | None = None,
) -> PrivacySettings:
    """Change them. To do without the second person takes settings:write too (`granted`; None: the system itself).

    Requests that were made under four eyes stay under them.
    """
    if not 1 <= archive_days <= 90:
        raise InvalidInput.field("archive_days", "must be between 1 and 90")
    values = {"four_eyes": four_eyes, "archive_days": archive_days}
    with tenant(organisation):
        before = settings_of(organisation).four_eyes
        if before and not four_eyes and granted is not None and FOUR_EYES_OFF not in granted:
            raise Forbidden(f"four_eyes: to switch it off takes the scope {FOUR_EYES_OFF}")
        row, _ = PrivacySettings.objects.update_or_create(organisation=organisation, defaults=values)
        audit_record(
            organisation=organisation,
            action="privacy_settings.changed",
            object_type="privacy_settings",
            data=values | {"four_eyes_before": before},
        )
    return row


def request_create(
    *,
    organisation: Organisation,
    subject_id: UUID,
    action: str,
    ground: str,
    note: str = "",
    created_by: User | None = None,
) -> PrivacyRequest:
    """Ask for an export, which starts at once, or for an erasure, which waits to be confirmed."""
    _check(action, ground, note)
    with tenant(organisation) as owner:
        key = _open_key(subject_id)
        if action == Action.ERASE:
            refuse_if_held(key)
        request = PrivacyRequest(
            organisation_id=owner, subject=key, action=action, ground=ground, note=note.strip(),
            requested_by=name_of(), person=person_behind(name_of()),
            four_eyes=settings_of(organisation).four_eyes,
            state=RequestState.WAITING if action == Action.ERASE else RequestState.RUNNING,
        )  # fmt: skip
        _insert(request)
        _record(request, "privacy_request.created", {"action": action, "ground": ground})
        event_emit(
            organisation=organisation,
            type="privacy.request_created",
            data={"request_id": str(request.pk), "action": action},
        )
        if action == Action.EXPORT:
            _start_export(organisation, request, created_by)
    return request


def request_confirm(*, organisation: Organisation, request_id: UUID) -> ErasureCertificate:
    """Carry out an erasure. Unless the organisation says otherwise, whoever confirms is not who asked."""
    with tenant(organisation):
        request = _waiting(request_id)
        if needs_second(request):
            check_two_persons(asked_by(request), name_of())
        request.decided_by, request.decided_at = name_of(), timezone.now()
        certificate = subject_erase(organisation, request)
        request.state, request.finished_at = RequestState.DONE, timezone.now()
        request.save(update_fields=["state", "decided_by", "decided_at", "finished_at"])
    return certificate


def needs_second(request: PrivacyRequest) -> bool:
    """Whether two people are needed: by the rule it was made under, or by today's."""
    return request.four_eyes or settings_of(request.organisation_id).four_eyes


def asked_by(request: PrivacyRequest) -> str:
    """The person who asked for it. Call it inside `tenant()`."""
    return request.person or person_behind(request.requested_by)


def request_refuse(*, organisation: Organisation, request_id: UUID) -> PrivacyRequest:
    """Do not carry out an erasure; whoever asked may take it back so too."""
    with tenant(organisation):
        request = _waiting(request_id)
        request.state, request.decided_by = RequestState.REFUSED, name_of()
        request.decided_at = request.finished_at = timezone.now()
        request.save(update_fields=["state", "decided_by", "decided_at", "finished_at"])
        _record(request, "privacy_request.refused", {})
    return request


def archive_take(*, organisation: Organisation, request_id: UUID) -> tuple[PrivacyRequest, BinaryIO]:
    """The archive of an export that can still be had; that it was taken is recorded."""
    with tenant(organisation):
        request = PrivacyRequest.objects.select_related("subject").filter(pk=request_id).first()
        if request is None or request.action != Action.EXPORT:
            raise NotFound("no such export")
        key = request.subject
        if key.is_destroyed:
            raise NotFound("the person's data was erased, the export with it")
        if not request.archive_key:
            raise NotFound("the export has not ended yet, or its archive has expired")
        _record(request, "privacy_request.downloaded", {})
        read_record(organisation=organisation, subject_type=key.type, subject_id=key.pk, what="export")
    return request, archive_open(request)


def archive_keep(
    *, organisation: UUID, request_id: UUID, key: str, sealed: Any, size: int, sha256: str
) -> PrivacyRequest:
    """Store what an export has made: `sealed` is a file, `size` and `sha256` are those of the archive within."""
    default_storage.save(key, File(sealed))
    try:
        return _point_to(organisation, request_id, key, size, sha256)
    except BaseException:
        content_delete(key)
        raise


def _point_to(organisation: UUID, request_id: UUID, key: str, size: int, sha256: str) -> PrivacyRequest:
    with tenant(organisation):
        request = PrivacyRequest.objects.select_for_update(of=("self",)).get(pk=request_id)
        if request.subject.is_destroyed:
            raise Conflict("the person's data was erased meanwhile")
        if request.state != RequestState.RUNNING:
            raise Conflict("the request has ended meanwhile")
        request.archive_key, request.archive_bytes, request.archive_sha256 = key, size, sha256
        request.state, request.finished_at = RequestState.DONE, timezone.now()
        request.expires_at = timezone.now() + timedelta(days=settings_of(organisation).archive_days)
        request.save()
    return request


def export_ended(job: Job) -> None:
    """In the transaction in which an export's job ends: without an archive, the request does not run any more."""
    running = PrivacyRequest.objects.filter(job_id=job.pk, state=RequestState.RUNNING)
    running.update(state=RequestState.FAILED, finished_at=timezone.now())


def _check(action: str, ground: str, note: str) -> None:
    if action not in Action.values:
        raise InvalidInput.field("action", f"must be one of {', '.join(Action.values)}")
    if ground not in Ground.values:
        raise InvalidInput.field("ground", f"must be one of {', '.join(Ground.values)}")
    if len(note) > NOTE_LIMIT:
        raise InvalidInput.field("note", f"must have at most {NOTE_LIMIT} characters")


def _open_key(subject_id: UUID) -> SubjectKey:
    key = SubjectKey.objects.filter(pk=subject_id).first()
    if key is None:
        raise NotFound("no such subject")
    if key.is_destroyed:
        raise Conflict("the person's data was erased already")
    return key


def _insert(request: PrivacyRequest) -> None:
    try:
        with transaction.atomic():
            request.save(force_insert=True)
    except IntegrityError:
        raise Conflict(f"there is an open request to {request.action} this person's data already") from None


def _start_export(organisation: Organisation, request: PrivacyRequest, created_by: User | None) -> None:
    job = job_create(
        organisation=organisation,
        kind=EXPORT_KIND,
        params={"request": str(request.pk)},
        created_by=created_by,
    )
    request.job_id = job.pk
    request.save(update_fields=["job_id"])


def _waiting(request_id: UUID) -> PrivacyRequest:
    request = PrivacyRequest.objects.select_for_update(of=("self",)).filter(pk=request_id).first()
    if request is None:
        raise NotFound("no such request")
    if request.state != RequestState.WAITING:
        raise Conflict(
            f"the request is {RequestState(request.state).label.lower()}, it does not wait for a decision"
        )
    return request


def _record(request: PrivacyRequest, action: str, data: dict[str, Any]) -> None:
    audit_record(
        organisation=request.organisation_id,
        action=action,
        object_type="privacy_request",
        object_id=request.pk,
        data={"subject": str(request.subject_id), **data},
    )
