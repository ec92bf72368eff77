"""What interrupted processes leave, and what has had its time, is taken away."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from rootstock.accounts.models import Organisation
from rootstock.accounts.rounds import each_organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Busy, Conflict, Unavailable
from rootstock.files.checking import SCAN_KIND, file_refuse, scan_queue
from rootstock.files.contents import content_delete
from rootstock.files.models import FileState, StoredFile
from rootstock.files.resumable import uploads_forget, uploads_sweep
from rootstock.files.services import file_remove
from rootstock.jobs.models import FINAL_STATES, Job, JobArtefact, JobState
from rootstock.privacy.holds import held_subjects
from rootstock.privacy.models import PrivacyRequest
from rootstock.registry.models import AdapterUpload, AdapterVersion

ABANDONED = timedelta(hours=1)
UNCHECKED = timedelta(minutes=5)
ORPHANED = timedelta(days=1)
GIVEN_UP = timedelta(days=3)
SCANS = 3
_AWAY = (Unavailable.code, Busy.code)
_MANY = 500


def files_sweep() -> dict[str, int]:
    """Every few minutes: uploads that broke off, files nobody checks, files past their time."""
    each_organisation(uploads_forget)
    return {
        "given_up": uploads_sweep(),
        "abandoned": each_organisation(_abandoned),
        "queued": each_organisation(_unchecked),
        "expired": each_organisation(_expired),
    }


def _abandoned(organisation: Organisation) -> int:
    with tenant(organisation):
        broken = StoredFile.objects.filter(
            state=FileState.UPLOADING, created_at__lt=timezone.now() - ABANDONED
        )
        rows = list(broken[:_MANY])
        for row in rows:
            file_remove(row, "abandoned")
    return len(rows)


def _unchecked(organisation: Organisation) -> int:
    count = 0
    with tenant(organisation), suppress(Busy):  # the rest once there is room
        for row in _forgotten():
            if reason := _hopeless(row):
                file_refuse(row, reason)
            else:
                scan_queue(row)
                count += 1
    return count


def _forgotten() -> list[StoredFile]:
    """Files in quarantine that no job is about to check."""
    waiting = StoredFile.objects.filter(
        state=FileState.QUARANTINED, created_at__lt=timezone.now() - UNCHECKED
    )
    rows = list(waiting[:_MANY])
    jobs = Job.objects.in_bulk([row.job_id for row in rows if row.job_id])
    return [row for row in rows if row.job_id not in jobs or jobs[row.job_id].state in FINAL_STATES]


def _hopeless(row: StoredFile) -> str:
    """Why a file is not tried again; empty while it is. A scanner that is away says nothing about the file."""
    scans = Job.objects.filter(kind=SCAN_KIND, pk__gt=row.pk, params__file=str(row.pk))
    if scans.filter(state=JobState.CANCELLED).exists():
        return "its check was cancelled; delete it and upload it again"
    failed = scans.filter(state=JobState.FAILED)
    if failed.count() - failed.filter(error__code__in=_AWAY).count() >= SCANS:
        return f"its check failed {SCANS} times; ask an operator to look at the job {row.job_id}"
    if row.created_at < timezone.now() - GIVEN_UP:
        return f"it could not be checked within {GIVEN_UP.days} days; delete it and upload it again"
    return ""


def _expired(organisation: Organisation) -> int:
    count = 0
    with tenant(organisation):
        past = StoredFile.objects.filter(expires_at__lt=timezone.now()).exclude(subject__in=held_subjects())
        for row in past.select_related("subject")[:_MANY]:
            try:
                file_remove(row, "purged")
                count += 1
            except Conflict:
                continue  # something is made of it: it stays as long as that does
    return count


def orphans_sweep() -> int:
    """Once a day: content that no row names, a day old at least."""
    count = 0
    for key in _stored_keys():
        if _is_orphan(key):
            content_delete(key)
            count += 1
    return count


def _stored_keys(folder: str = "") -> Iterator[str]:
    folders, names = default_storage.listdir(folder)
    yield from (f"{folder}{name}" for name in names)
    for inner in folders:
        yield from _stored_keys(f"{folder}{inner}/")


def _is_orphan(key: str) -> bool:
    found = _owner(key)
    if found is None or default_storage.get_modified_time(key) > timezone.now() - ORPHANED:
        return False
    organisation, rows = found
    with tenant(organisation):
        return not rows.exists()


def _owner(key: str) -> "tuple[UUID, QuerySet[Any]] | None":
    """The organisation, and the rows that may name the content; None for what is not one of ours."""
    try:
        match key.split("/"):
            case ["jobs", organisation, _, _]:
                return UUID(organisation), JobArtefact.objects.filter(path=key)
            case ["adapters", organisation, digest, _]:
                return UUID(organisation), AdapterVersion.objects.filter(digest=digest)
            case ["intake", organisation, upload, _]:
                return UUID(organisation), AdapterUpload.objects.filter(pk=UUID(upload), state="checking")
            case ["exports", organisation, _, _]:
                return UUID(organisation), PrivacyRequest.objects.filter(archive_key=key)
            case [folder, organisation, name, _] if found := _of_verticals().get(folder):
                return UUID(organisation), import_string(found)(name)
            case [organisation, file_id]:
                return UUID(organisation), StoredFile.objects.filter(pk=UUID(file_id))
    except ValueError:
        pass
    return None


def _of_verticals() -> dict[str, str]:
    return {folder: path for one in settings.VERTICALS.values() for folder, path in one.contents}
