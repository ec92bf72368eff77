"""A file's row, held for a change; and what is recorded of it."""

from typing import Any
from uuid import UUID

from rootstock.audit.services import audit_record
from rootstock.errors import NotFound
from rootstock.files.models import StoredFile


def file_locked(file_id: UUID) -> StoredFile:
    """The row, locked. Call it inside `tenant()`."""
    rows = StoredFile.objects.select_for_update(of=("self",)).select_related("subject")
    row = rows.filter(pk=file_id).first()
    if row is None:
        raise NotFound("no such file")
    return row


def file_record(row: StoredFile, done: str, **data: Any) -> None:
    """An entry of the audit trail. Call it inside `tenant()`."""
    audit_record(
        organisation=row.organisation_id,
        action=f"file.{done}",
        object_type="file",
        object_id=row.pk,
        data=data,
    )
