"""The job `privacy.export`: everything that is held of one person, as a ZIP of JSON files with a manifest.

The archive is stored under the person's own key, not as a file of the job: an erasure takes it along, and nobody
who reads the storage reads it.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict, NotFound, TooLarge
from rootstock.jobs.running import JobHandle
from rootstock.privacy.holdings import Kind, subject_type
from rootstock.privacy.models import PrivacyRequest, RequestState, SubjectKey
from rootstock.privacy.requests import archive_keep

MAX_BYTES = 256 * 2**20


def export(job: JobHandle) -> dict[str, Any]:
    """Write the archive. Running it again writes it anew."""
    organisation, request_id = job.organisation.pk, UUID(job.params["request"])
    with tenant(organisation):
        request = PrivacyRequest.objects.select_related("subject").filter(pk=request_id).first()
        if request is None:
            raise NotFound("the request is gone")
        if request.state != RequestState.RUNNING:
            return _result(request)
        if request.subject.is_destroyed:
            raise Conflict("the person's data was erased meanwhile")
        kinds = subject_type(request.subject.type).kinds
    files: dict[str, tuple[int, bytes]] = {}
    for number, kind in enumerate(kinds):
        job.progress(number, len(kinds), f"Reading {kind.label.lower()}")
        with tenant(organisation):
            files[f"{kind.name}.json"] = _file(kind, request.subject)
    content = _archive(_manifest(job, request, files), files)
    with tenant(organisation):
        digest = hashlib.sha256(content).hexdigest()
        done = archive_keep(organisation=organisation, request_id=request_id, content=content, sha256=digest)
    job.progress(len(kinds), len(kinds), "Archive stored")
    return _result(done)


def _result(request: PrivacyRequest) -> dict[str, Any]:
    return {
        "request": str(request.pk),
        "bytes": request.archive_bytes,
        "sha256": request.archive_sha256,
        "expires_at": request.expires_at.isoformat() if request.expires_at else None,
    }


def _file(kind: Kind, key: SubjectKey) -> tuple[int, bytes]:
    rows = list(_checked(kind.export(key)))
    text = json.dumps(rows, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)
    return len(rows), text.encode()


def _checked(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    size = 0
    for row in rows:
        size += len(str(row))
        if size > MAX_BYTES:
            raise TooLarge(f"more than {MAX_BYTES:,} bytes of one kind are held of this person")
        yield row


def _manifest(job: JobHandle, request: PrivacyRequest, files: dict[str, tuple[int, bytes]]) -> dict[str, Any]:
    return {
        "type": "rootstock.export",
        "version": 1,
        "organisation": {"id": str(job.organisation.pk), "name": job.organisation.name},
        "subject": {"id": str(request.subject_id), "type": request.subject.type},
        "request": str(request.pk),
        "made_at": timezone.now().isoformat(),
        "files": [
            {"name": name, "rows": rows, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
            for name, (rows, body) in files.items()
        ],
    }


def _archive(manifest: dict[str, Any], files: dict[str, tuple[int, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1))
        for name, (_, body) in files.items():
            archive.writestr(name, body)
    return buffer.getvalue()
