"""Adapters that somebody brings: taken into quarantine, checked by a job, refused with a reason or registered."""

from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from django.utils import timezone

from models_zoo.llm.card import AdapterError
from models_zoo.llm.intake.archive import ARCHIVE, is_wanted
from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput, NotFound
from rootstock.files.models import StoredFile
from rootstock.files.services import file_remove, file_store
from rootstock.files.uploads import Upload
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_create
from rootstock.registry.models import AdapterUpload, AdapterVersion, UploadState
from rootstock.registry.names import check_name
from rootstock.webhooks.services import event_emit

KIND = "adapters.intake"
PURPOSE = "model"


def adapter_upload(
    *, organisation: Organisation, name: str, files: Sequence[Upload], uploaded_by: User | None = None
) -> AdapterUpload:
    """Take an adapter's files, or one zip of them, and have them checked.

    Raises InvalidInput naming the field, TooLarge, and Conflict when the quota is used up; nothing is kept then.
    """
    check_name(name)
    _parts([content.name or "" for content in files])
    stored: list[StoredFile] = []
    try:
        for content in files:
            stored += file_store(
                organisation=organisation, purpose=PURPOSE, content=content, uploaded_by=uploaded_by
            )[:1]
        return upload_create(
            organisation=organisation, name=name, file_ids=[row.pk for row in stored], uploaded_by=uploaded_by
        )
    except BaseException:
        with tenant(organisation):
            _remove([row.pk for row in stored], "refused")
        raise


def upload_create(
    *,
    organisation: Organisation,
    name: str,
    file_ids: Collection[UUID],
    uploaded_by: User | None = None,
) -> AdapterUpload:
    """Have files checked that were uploaded before, for the purpose "model". They are used up by it."""
    check_name(name)
    with tenant(organisation) as owner:
        rows = list(StoredFile.objects.select_for_update().filter(pk__in=file_ids, purpose=PURPOSE))
        if len(rows) != len(set(file_ids)) or not rows:
            raise NotFound("file_ids: no such file with the purpose model")
        parts = _parts([row.name for row in rows])
        upload = AdapterUpload.objects.create(
            organisation_id=owner, name=name, uploaded_by=uploaded_by,
            files={part: str(row.pk) for part, row in zip(parts, rows, strict=True)},
        )  # fmt: skip
        upload.job = job_create(
            organisation=organisation, kind=KIND, params={"upload": str(upload.pk)}, created_by=uploaded_by
        )
        upload.save(update_fields=["job"])
        _record(upload, "uploaded", files=sorted(parts))
    return upload


def upload_refuse(upload: AdapterUpload, checks: list[dict[str, Any]]) -> None:
    """Keep why, and nothing else of it. Call it inside `tenant()`."""
    last = checks[-1]
    upload.reason = f"{last['check']}: {last['text']}"[:500]
    _end(upload, UploadState.REFUSED, checks)
    _record(upload, "refused", check=last["check"])
    event_emit(organisation=upload.organisation_id, type="adapter.refused", data={"upload": str(upload.pk)})


def upload_taken(upload: AdapterUpload, checks: list[dict[str, Any]], version: AdapterVersion) -> None:
    """It became a version. Call it inside `tenant()`."""
    upload.version = version
    _end(upload, UploadState.TAKEN, checks)
    _record(upload, "taken", adapter=version.reference)


def intake_ended(job: Job) -> None:
    """In the transaction in which the job ends: an upload that it neither took nor refused is given up."""
    for upload in AdapterUpload.objects.filter(job=job, state=UploadState.CHECKING):
        told = {"check": "job", "passed": False, "text": "its check was stopped or failed; upload it again"}
        upload_refuse(upload, [*upload.checks, told])


def _end(upload: AdapterUpload, state: str, checks: list[dict[str, Any]]) -> None:
    _remove([UUID(one) for one in upload.files.values()], state, but_of=upload.pk)
    upload.state, upload.checks, upload.finished_at = state, checks, timezone.now()
    upload.save(update_fields=["state", "checks", "reason", "version", "finished_at"])


def _remove(file_ids: Collection[UUID], done: str, but_of: UUID | None = None) -> None:
    """Take files away, except those that another upload is checked by: the same content is the same file."""
    rows = list(StoredFile.objects.select_for_update().filter(pk__in=file_ids).order_by("pk"))
    others = AdapterUpload.objects.filter(state=UploadState.CHECKING)
    others = others.exclude(pk=but_of) if but_of else others
    wanted = {file_id for files in others.values_list("files", flat=True) for file_id in files.values()}
    for row in rows:
        if str(row.pk) not in wanted:
            file_remove(row, done)


def _parts(names: Sequence[str]) -> list[str]:
    """What each file is of an adapter, by its name. Raises InvalidInput."""
    if len(names) == 1 and names[0].lower().endswith(".zip"):
        return [ARCHIVE]
    try:
        unwanted = [name for name in names if not is_wanted(PurePosixPath(name))]
    except AdapterError as error:
        raise InvalidInput.field("files", str(error)) from None
    if unwanted:
        raise InvalidInput.field("files", f"{unwanted[0]} is not part of an adapter")
    if len(set(names)) < len(names):
        raise InvalidInput.field("files", "two of them have the same name")
    return list(names)


def _record(upload: AdapterUpload, done: str, **data: Any) -> None:
    audit_record(
        organisation=upload.organisation_id,
        action=f"adapter_upload.{done}",
        object_type="adapter_upload",
        object_id=upload.pk,
        data={"name": upload.name, **data},
    )


def upload_get(*, organisation: Organisation, upload_id: UUID) -> AdapterUpload:
    """One upload."""
    with tenant(organisation):
        found = AdapterUpload.objects.select_related("version").filter(pk=upload_id).first()
    if found is None:
        raise NotFound("no such upload")
    return found


def upload_checking(upload_id: UUID) -> AdapterUpload:
    """One that is still being checked. Call it inside `tenant()`."""
    found = AdapterUpload.objects.filter(pk=upload_id).first()
    if found is None or found.state != UploadState.CHECKING:
        raise Conflict("the upload is not being checked any more")
    return found
