"""Files that jobs make: kept in Django's storage, downloaded by who may see the job, removed when they expire.

Each attempt writes to a path of its own; the row moves to it in the owner's transaction. So an attempt that lost its
lease leaves neither a row nor, apart from a kill at that moment, a file.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.http import FileResponse
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.rounds import each_organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound, TooLarge
from rootstock.files.contents import content_delete
from rootstock.ids import uuid7
from rootstock.jobs.events import Artefact
from rootstock.jobs.models import Job, JobArtefact
from rootstock.jobs.ownership import event_append, owned

_SPOOL = 8 * 2**20  # larger ones pass through the disk
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,119}")
_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+(; ?charset=[a-z0-9-]+)?")


@dataclass(slots=True, frozen=True)
class _Read:
    """What was read of a file."""

    size: int
    sha256: str


def artefact_store(job: Job, name: str, content: bytes | IO[bytes], content_type: str) -> JobArtefact:
    """Keep a file as the job's owner; an earlier attempt's of this name is replaced. Raises LeaseLost, TooLarge."""
    if not _NAME.fullmatch(name) or not _TYPE.fullmatch(content_type):
        raise ValueError(f"not a name or content type of an artefact: {name!r}, {content_type!r}")
    source = BytesIO(content) if isinstance(content, bytes) else content
    with SpooledTemporaryFile(max_size=_SPOOL) as copy:
        told = _copy(name, source, copy)
        copy.seek(0)
        path = default_storage.save(f"jobs/{job.organisation_id}/{job.pk}/{uuid7().hex}", File(copy))
    try:
        return _point_to(job, name, path, told, content_type)
    except BaseException:
        content_delete(path)
        raise


def _copy(name: str, source: IO[bytes], target: IO[bytes]) -> _Read:
    """Copy while counting and hashing: what a storage reads, and how often, is its own affair."""
    size, digest = 0, hashlib.sha256()
    while chunk := source.read(2**16):
        size += len(chunk)
        if size > settings.JOB_ARTEFACT_BYTES:
            raise TooLarge(f"{name}: an artefact has at most {settings.JOB_ARTEFACT_BYTES:,} bytes")
        digest.update(chunk)
        target.write(chunk)
    return _Read(size, digest.hexdigest())


def _point_to(job: Job, name: str, path: str, told: _Read, content_type: str) -> JobArtefact:
    fields: dict[str, Any] = {
        "content_type": content_type,
        "size": told.size,
        "sha256": told.sha256,
        "path": path,
        "expires_at": timezone.now() + timedelta(days=settings.JOB_ARTEFACT_DAYS),
    }
    with owned(organisation=job.organisation_id, job_id=job.pk, fence=job.fence) as row:
        before = JobArtefact.objects.filter(job=row, name=name).values_list("path", flat=True).first()
        kept, _ = JobArtefact.objects.update_or_create(
            job=row, name=name, organisation_id=row.organisation_id, defaults=fields
        )
        event_append(row, Artefact(name=name, size=kept.size, sha256=kept.sha256))
        if before:
            transaction.on_commit(lambda: content_delete(before), robust=True)
    return kept


def artefact_get(*, organisation: Organisation | UUID, job_id: UUID, artefact_id: UUID) -> JobArtefact:
    """One artefact that can still be downloaded. Raises NotFound."""
    with tenant(organisation):
        found = JobArtefact.objects.filter(job_id=job_id, pk=artefact_id).first()
    if found is None:
        raise NotFound("no such artefact")
    if not found.path:
        raise NotFound(
            f"{found.name} expired on {found.expires_at:%-d %B %Y}; run the job again to make it anew"
        )
    return found


def artefact_response(artefact: JobArtefact) -> FileResponse:
    """The file as a download, never shown in the browser."""
    try:
        content = default_storage.open(artefact.path)
    except FileNotFoundError:
        raise NotFound(f"{artefact.name} is gone from the storage") from None
    response = FileResponse(
        content, as_attachment=True, filename=artefact.name, content_type=artefact.content_type
    )
    response["Content-Length"] = str(artefact.size)
    response["ETag"] = f'"{artefact.sha256}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def artefacts_expire() -> int:
    """Remove the files whose time is over, in every organisation; their rows stay and say so."""
    return each_organisation(_expire)


def _expire(organisation: Organisation) -> int:
    with tenant(organisation):
        over = list(JobArtefact.objects.filter(expires_at__lt=timezone.now()).exclude(path="")[:500])
        JobArtefact.objects.filter(pk__in=[artefact.pk for artefact in over]).update(path="")
    for artefact in over:
        content_delete(artefact.path)
    return len(over)
