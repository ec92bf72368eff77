"""Adapters that somebody brings: taken into quarantine, checked by a job, refused with a reason or registered."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from models_zoo.llm.card import AdapterError
from models_zoo.llm.foreign import bounded, named
from models_zoo.llm.intake.archive import ARCHIVE, KEPT, is_wanted
from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, FieldProblem, InvalidInput, NotFound, TooLarge
from rootstock.files.models import FileState, StoredFile
from rootstock.files.services import file_remove, file_store
from rootstock.files.uploads import Upload
from rootstock.jobs.models import Job, JobState
from rootstock.jobs.services import job_create
from rootstock.privacy.persons import name_of
from rootstock.registry.contents import keys_delete, upload_keys
from rootstock.registry.models import AdapterUpload, AdapterVersion, UploadState
from rootstock.registry.names import check_name
from rootstock.webhooks.services import event_emit

KIND = "adapters.intake"
PURPOSE = "adapter"
BROUGHT_FOR = (PURPOSE, "model")  # what files that were uploaded before may be of


def adapter_upload(
    *, organisation: Organisation, name: str, files: Sequence[Upload], uploaded_by: User | None = None
) -> AdapterUpload:
    """Take an adapter's files, or one zip of them, and have them checked.

    Raises InvalidInput naming the field, TooLarge, and Conflict when the quota is used up; nothing is kept then.
    """
    check_name(name)
    parts = _parts([content.name or "" for content in files])
    _refuse_large({part: content.size or 0 for part, content in zip(parts, files, strict=True)})
    stored: list[StoredFile] = []
    try:
        for content in files:
            stored += file_store(
                organisation=organisation, purpose=PURPOSE, content=content, uploaded_by=uploaded_by,
                checked_later=True,
            )[:1]  # fmt: skip
        with tenant(organisation):
            rows = dict(zip(parts, _held([row.pk for row in stored]), strict=True))
            return _create(organisation, name, rows, uploaded_by)
    except BaseException:
        with tenant(organisation):
            _remove([row.pk for row in stored], "refused")
        raise


def upload_create(
    *,
    organisation: Organisation,
    name: str,
    file_ids: Sequence[UUID],
    names: Sequence[str] | None = None,
    uploaded_by: User | None = None,
) -> AdapterUpload:
    """Have files checked that were uploaded before, for the purpose "adapter" or "model". They are used up by it.

    `names` are what they are of an adapter, in the same order; without them their own say it, which for a content
    that had been there already is whatever it was called then.
    """
    check_name(name)
    if names is not None and len(names) != len(file_ids):
        raise InvalidInput.field("names", f"must be as many as file_ids ({len(file_ids)})")
    with tenant(organisation):
        rows = _held(file_ids)
        parts = _parts([row.name for row in rows] if names is None else names)
        _refuse_large({part: row.bytes for part, row in zip(parts, rows, strict=True)})
        return _create(organisation, name, dict(zip(parts, rows, strict=True)), uploaded_by)


def _held(file_ids: Sequence[UUID]) -> list[StoredFile]:
    """The rows, locked, in this order."""
    found = StoredFile.objects.select_for_update().filter(pk__in=file_ids, purpose__in=BROUGHT_FOR)
    rows = {row.pk: row for row in found.order_by("pk")}
    if not rows or not all(file_id in rows for file_id in file_ids):
        raise NotFound("file_ids: no such file with the purpose adapter or model")
    return [rows[file_id] for file_id in file_ids]


def _create(
    organisation: Organisation, name: str, rows: dict[str, StoredFile], uploaded_by: User | None
) -> AdapterUpload:
    upload = AdapterUpload.objects.create(
        organisation=organisation, name=name, brought_by=name_of(),
        files={part: str(row.pk) for part, row in rows.items()},
    )  # fmt: skip
    upload.job = job_create(
        organisation=organisation, kind=KIND, params={"upload": str(upload.pk)}, created_by=uploaded_by
    )
    upload.save(update_fields=["job"])
    _take_over(upload, rows.values())
    _record(upload, "uploaded", files=sorted(rows))
    return upload


def _take_over(upload: AdapterUpload, rows: Collection[StoredFile]) -> None:
    """The upload's job scans what no job looks at yet, so that nothing is scanned twice."""
    running = Job.objects.filter(pk__in=[row.job_id for row in rows if row.job_id], state=JobState.RUNNING)
    waiting = StoredFile.objects.filter(pk__in=[row.pk for row in rows], state=FileState.QUARANTINED)
    waiting.exclude(job_id__in=list(running.values_list("pk", flat=True))).update(job_id=upload.job_id)


def _refuse_large(sizes: Mapping[str, int]) -> None:
    """Raise TooLarge before anything reads a file that is larger than it may be in an adapter."""
    for part, size in sizes.items():
        if size > KEPT.get(part, size):
            reason = f"{part} is {size:,} bytes, expected at most {KEPT[part]:,}"
            raise TooLarge(f"files: {reason}", errors=[FieldProblem("files", reason)])


def upload_refuse(upload: AdapterUpload, checks: list[dict[str, Any]]) -> None:
    """Keep why, and nothing else of it. Call it inside `tenant()`."""
    last = checks[-1]
    upload.reason = bounded(f"{last['check']}: {last['text']}")
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
    why = "it was stopped"
    if job.state == JobState.FAILED:
        why = f"it could not be made: {(job.error or {}).get('detail', 'its worker ended')}"
    for upload in AdapterUpload.objects.filter(job=job, state=UploadState.CHECKING):
        told = {"check": "job", "passed": False, "text": bounded(f"{why}; upload it again", 400)}
        upload_refuse(upload, [*upload.checks, told])


def _end(upload: AdapterUpload, state: str, checks: list[dict[str, Any]]) -> None:
    _remove([UUID(one) for one in upload.files.values()], state, but_of=upload.pk)
    upload.state, upload.checks, upload.finished_at = state, checks, timezone.now()
    upload.save(update_fields=["state", "checks", "reason", "version", "finished_at"])
    keys = upload_keys(upload.organisation_id, upload.pk)
    transaction.on_commit(lambda: keys_delete(keys), robust=True)  # of a check that was killed


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
        unwanted = [name for name in names if not is_wanted(PurePosixPath(name)) or name not in KEPT]
    except AdapterError as error:
        raise InvalidInput.field("files", str(error)) from None
    if unwanted:
        raise InvalidInput.field("files", f"{named(unwanted[0])} is not part of an adapter")
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
