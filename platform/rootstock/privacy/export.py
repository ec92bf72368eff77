"""The job `privacy.export`: everything that is held of one person, as a ZIP of JSON files and contents with a manifest.

The archive is stored under the person's own key, not as a file of the job: an erasure takes it along, and nobody
who reads the storage reads it. It is sealed as it is written: memory holds a few rows and one piece of it, and the
disk never a plain byte.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict, NotFound, Unavailable
from rootstock.files.uploads import incoming_file
from rootstock.jobs.running import JobHandle
from rootstock.privacy.archives import archive_place
from rootstock.privacy.holdings import Content, Kind, kinds_of
from rootstock.privacy.models import PrivacyRequest, RequestState, SubjectKey
from rootstock.privacy.requests import archive_keep
from rootstock.privacy.streams import PIECE, SealedWriter, Target


class _Counted:
    """Passes on what is written, with its size and SHA-256."""

    def __init__(self, target: Target) -> None:
        self._target, self._digest, self.size = target, hashlib.sha256(), 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        self._target.write(data)
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """What it passes on to is not waited for."""


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
    place = archive_place(request)
    with incoming_file() as sealed:
        writer = SealedWriter(sealed, request.subject, place)
        told = _Counted(writer)
        with zipfile.ZipFile(told, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
            _fill(archive, job, request)
        writer.finish()
        sealed.seek(0)
        done = archive_keep(
            organisation=organisation, request_id=request_id, key=place, sealed=sealed,
            size=told.size, sha256=told.sha256,
        )  # fmt: skip
    return _result(done)


def _fill(archive: zipfile.ZipFile, job: JobHandle, request: PrivacyRequest) -> None:
    with tenant(request.organisation_id):
        kinds = kinds_of(request.subject)
    files: list[dict[str, Any]] = []
    for number, kind in enumerate(kinds):
        job.progress(number, len(kinds), f"Reading {kind.label.lower()}")
        with tenant(request.organisation_id):
            files.append(_rows(archive, kind, request.subject))
            contents = list(kind.contents(request.subject))
        files += [_content(archive, content) for content in contents]  # no transaction waits for the storage
    manifest = json.dumps(_manifest(job, request, files), ensure_ascii=False, indent=1)
    archive.writestr("manifest.json", manifest)
    job.progress(len(kinds), len(kinds), "Storing the archive")


def _rows(archive: zipfile.ZipFile, kind: Kind, key: SubjectKey) -> dict[str, Any]:
    rows = 0
    with _entry(archive, f"{kind.name}.json") as (file, told):
        for row in kind.export(key):
            text = json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)
            file.write((",\n" if rows else "[\n").encode() + text.encode())
            rows += 1
        file.write(b"\n]\n" if rows else b"[]\n")
    return {**told, "rows": rows}


def _content(archive: zipfile.ZipFile, content: Content) -> dict[str, Any]:
    try:
        opened = content.open()
    except FileNotFoundError:
        raise Unavailable(f"{content.path} was deleted meanwhile: what is left is exported anew") from None
    with opened as stored, _entry(archive, content.path) as (file, told):
        while piece := stored.read(PIECE):
            file.write(piece)
    return {**told, "rows": None}


@contextmanager
def _entry(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[_Counted, dict[str, Any]]]:
    """A file of the archive, and what the manifest says of it once it is written."""
    told: dict[str, Any] = {"name": name}
    entry: IO[bytes]
    with archive.open(name, "w", force_zip64=True) as entry:
        counted = _Counted(entry)
        yield counted, told
    told |= {"bytes": counted.size, "sha256": counted.sha256}


def _result(request: PrivacyRequest) -> dict[str, Any]:
    return {
        "request": str(request.pk),
        "bytes": request.archive_bytes,
        "sha256": request.archive_sha256,
        "expires_at": request.expires_at.isoformat() if request.expires_at else None,
    }


def _manifest(job: JobHandle, request: PrivacyRequest, files: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "rootstock.export",
        "version": 1,
        "organisation": {"id": str(job.organisation.pk), "name": job.organisation.name},
        "subject": {"id": str(request.subject_id), "type": request.subject.type},
        "request": str(request.pk),
        "made_at": timezone.now().isoformat(),
        "files": files,
    }
