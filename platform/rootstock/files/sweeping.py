"""What interrupted processes leave, and what has had its time, is taken away."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict
from rootstock.files.contents import content_delete
from rootstock.files.models import FileState, StoredFile
from rootstock.files.services import file_remove, scan_queue
from rootstock.jobs.models import FINAL_STATES, Job, JobArtefact
from rootstock.privacy.holds import held_subjects
from rootstock.privacy.models import PrivacyRequest

log = logging.getLogger(__name__)
ABANDONED = timedelta(hours=1)
UNCHECKED = timedelta(minutes=5)
ORPHANED = timedelta(days=1)
_MANY = 500


def files_sweep() -> dict[str, int]:
    """Every few minutes: uploads that broke off, files nobody checks, files past their time."""
    counts = {"abandoned": 0, "queued": 0, "expired": 0}
    for organisation in Organisation.objects.all():
        with tenant(organisation):
            counts["abandoned"] += _abandoned()
            counts["queued"] += _unchecked()
            counts["expired"] += _expired()
    return counts


def _abandoned() -> int:
    broken = StoredFile.objects.filter(state=FileState.UPLOADING, created_at__lt=timezone.now() - ABANDONED)
    rows = list(broken[:_MANY])
    for row in rows:
        file_remove(row, "abandoned")
    return len(rows)


def _unchecked() -> int:
    waiting = StoredFile.objects.filter(
        state=FileState.QUARANTINED, created_at__lt=timezone.now() - UNCHECKED
    )
    rows = list(waiting[:_MANY])
    jobs = Job.objects.in_bulk([row.job_id for row in rows if row.job_id])
    left = [row for row in rows if row.job_id not in jobs or jobs[row.job_id].state in FINAL_STATES]
    for row in left:
        scan_queue(row)
    return len(left)


def _expired() -> int:
    past = StoredFile.objects.filter(expires_at__lt=timezone.now()).exclude(subject__in=held_subjects())
    count = 0
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
            case ["exports", organisation, _, _]:
                return UUID(organisation), PrivacyRequest.objects.filter(archive_key=key)
            case [organisation, file_id]:
                return UUID(organisation), StoredFile.objects.filter(pk=UUID(file_id))
    except ValueError:
        pass
    return None
