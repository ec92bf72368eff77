"""Files and privacy: those about a person, and for how long each purpose's are kept."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import PurePath
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from rootstock.files.contents import content_open
from rootstock.files.models import FileState, StoredFile
from rootstock.files.purposes import PURPOSES
from rootstock.files.services import file_remove, files_erase
from rootstock.privacy.holdings import Content, Expiring, Holdings, Kind
from rootstock.privacy.holds import held_subjects
from rootstock.privacy.keys import SubjectKey
from rootstock.privacy.subjects import keys_locked


def _files(key: SubjectKey) -> "QuerySet[StoredFile]":
    return StoredFile.objects.filter(subject=key).order_by("pk")


def _rows(key: SubjectKey) -> Iterator[dict[str, Any]]:
    for row in _files(key):
        yield {
            "id": row.pk, "purpose": row.purpose, "type": row.type, "bytes": row.bytes, "sha256": row.sha256,
            "state": row.state, "uploaded_at": row.created_at,
        }  # fmt: skip


def _contents(key: SubjectKey) -> Iterator[Content]:
    """Of those that passed their checks: what was refused is handed out to nobody."""
    for row in _files(key).filter(state=FileState.CLEAN).select_related("subject"):
        yield Content(f"files/{row.pk}{PurePath(row.name).suffix}", partial(content_open, row))


def _of_purpose(purpose: str) -> "QuerySet[StoredFile]":
    """What a data set is made of goes with the data set."""
    return StoredFile.objects.filter(purpose=purpose, datasets=None).exclude(state=FileState.UPLOADING)


def _held(purpose: str) -> bool:
    return _of_purpose(purpose).exists()


def _delete(purpose: str, organisation: UUID, before: datetime, most: int) -> int:
    old = _of_purpose(purpose).filter(created_at__lt=before).exclude(subject__in=held_subjects())
    chosen = list(old.select_related("subject").order_by("created_at")[:most])
    keys_locked({row.subject_id for row in chosen if row.subject_id})
    for row in chosen:
        file_remove(row, "expired")
    return len(chosen)


HOLDINGS = Holdings(
    everyone=(
        Kind(
            "files",
            "Files",
            lambda key: _files(key).count(),
            _rows,
            contents=_contents,
            ids=lambda key: _files(key).values_list("pk", flat=True),
            scrub=files_erase,
        ),
    ),
    expiring=tuple(
        Expiring(
            f"files.{name}",
            f"Files: {purpose.label}",
            "their upload",
            partial(_delete, name),
            partial(_held, name),
        )
        for name, purpose in PURPOSES.items()
        if purpose.keep is None  # the others end by themselves
    ),
)
