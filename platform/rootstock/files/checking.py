"""The checks of a file in quarantine: at once, or by a job; each file once."""

from contextlib import nullcontext, suppress
from datetime import timedelta
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Busy, DomainError
from rootstock.files.contents import content_open
from rootstock.files.looking import Report
from rootstock.files.models import FileState, StoredFile
from rootstock.files.purposes import purpose_named
from rootstock.files.rows import file_locked, file_record
from rootstock.files.scanning import scan
from rootstock.files.uploads import Upload
from rootstock.jobs.services import job_create
from rootstock.limited import StopWith
from rootstock.webhooks.services import event_emit

Tenant = Organisation | UUID
SCAN_KIND = "files.scan"


def check_soon(row: StoredFile, content: Upload) -> StoredFile:
    """Check a small file at once, have a large one checked by a job."""
    if row.bytes <= settings.FILE_INLINE_BYTES:
        with suppress(DomainError):  # a scanner is away: the job tries again
            own = None if content.closed else content.file  # some storages close what they have taken
            return file_check(organisation=row.organisation_id, file_id=row.pk, content=own)
    with suppress(Busy):  # the sweep has it queued once there is room
        return scan_queue(row)
    return row


def scan_queue(row: StoredFile) -> StoredFile:
    """Have a worker check the file."""
    with tenant(row.organisation_id):
        job = job_create(organisation=row.organisation_id, kind=SCAN_KIND, params={"file": str(row.pk)})
        row.job_id = job.pk
        row.save(update_fields=["job_id"])
    return row


def file_check(
    *, organisation: Tenant, file_id: UUID, content: Any = None, stop_with: StopWith | None = None
) -> StoredFile:
    """Check a file in quarantine. Raises Unavailable or ReaderLost when it cannot be done now; it stays there then.

    `stop_with` is given what ends the check of a large one.
    """
    with tenant(organisation):
        row = file_locked(file_id)
    if row.state != FileState.QUARANTINED:
        return row
    with nullcontext(content) if content is not None else content_open(row) as stored:
        report = scan(
            cast(BinaryIO, stored), name=row.name, purpose=row.purpose, size=row.bytes, stop_with=stop_with
        )
    return _judge(row, report)


def file_refuse(row: StoredFile, reason: str) -> None:
    """Refuse a file in quarantine that cannot be checked."""
    _judge(row, Report(type=row.type, reason=reason))


def _judge(row: StoredFile, report: Report) -> StoredFile:
    """Write what the checks said; once."""
    now = timezone.now()
    limits = purpose_named(row.purpose)
    refused_until = timedelta(days=settings.FILE_REFUSED_KEEP_DAYS)
    kept = limits.keep if report.is_clean else refused_until
    fields = {
        "state": FileState.CLEAN if report.is_clean else FileState.REFUSED,
        "type": report.type,
        "reason": report.reason,
        "checks": report.as_list(),
        "checked_at": now,
        "expires_at": now + kept if kept else None,
    }
    with tenant(row.organisation_id):
        if StoredFile.objects.filter(pk=row.pk, state=FileState.QUARANTINED).update(**fields):
            outcome = "clean" if report.is_clean else "refused"
            data = {"file": str(row.pk), "purpose": row.purpose}
            event_emit(organisation=row.organisation_id, type=f"file.{outcome}", data=data)
            if not report.is_clean:
                failed = [check.name for check in report.checks if check.passed is False]
                file_record(row, "refused", check=failed[-1] if failed else "")
        row.refresh_from_db(fields=list(fields))
    return row
