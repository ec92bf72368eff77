"""REST: files."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import FileResponse
from ninja import File, Form, Router, Schema, Status
from ninja.files import UploadedFile

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.files import selectors, services
from rootstock.files.models import StoredFile
from rootstock.files.serving import download
from rootstock.idempotency.marks import claims_first
from rootstock.paging import Page, page_of

router = Router(tags=["files"])


class CheckOut(Schema):
    """What one check said; `passed` is null where it was not made."""

    name: str
    passed: bool | None
    text: str


class FileOut(Schema):
    """A file. Only a clean one can be downloaded or used. One about a person keeps of its name the extension."""

    id: UUID
    purpose: str
    subject_id: UUID | None
    name: str
    type: str
    bytes: int
    sha256: str
    state: str
    reason: str
    checks: list[CheckOut]
    created_at: datetime
    checked_at: datetime | None
    expires_at: datetime | None


@router.post("", response={201: FileOut, 200: FileOut}, auth=scope("files:write"))
@claims_first
def upload_file(
    request: ApiRequest, purpose: Form[str], file: File[UploadedFile], subject_id: Form[UUID | None] = None
) -> Status[StoredFile]:
    """Upload a file (multipart). It is checked by its content: see `state`, `checks` and, when refused, `reason`.

    A small file has its state in the answer (clean or refused); a large one is quarantined until a worker has
    checked it. 200 when the same content had been uploaded before for the same purpose: the answer is that file.

    `subject_id` is the person whom the file is about (Privacy finds them). The content is then encrypted under the
    person's key, is in their export, and goes with their erasure.
    """
    row, created = services.file_store(
        organisation=request.auth.organisation,
        purpose=purpose,
        content=file,
        uploaded_by=request.auth.user,
        subject_id=subject_id,
    )
    return Status(201 if created else 200, row)


@router.get("", response=Page[FileOut], auth=scope("files:read"))
def list_files(
    request: ApiRequest,
    purpose: str | None = None,
    state: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """Files, newest first."""
    rows, following = selectors.files_page(
        organisation=request.auth.organisation, purpose=purpose, state=state, cursor=cursor, limit=limit
    )
    return page_of(rows, following, FileOut.from_orm)


@router.get("/{uuid:file_id}", response=FileOut, auth=scope("files:read"))
def get_file(request: ApiRequest, file_id: UUID) -> StoredFile:
    """One file with what its checks said."""
    return selectors.file_get(organisation=request.auth.organisation, file_id=file_id)


@router.get("/{uuid:file_id}/content", auth=scope("files:read"), include_in_schema=True)
def download_file(request: ApiRequest, file_id: UUID) -> FileResponse:
    """A clean file's content, always as a download. 409 while it is being checked, or when it was refused."""
    return download(organisation=request.auth.organisation, file_id=file_id)


@router.delete("/{uuid:file_id}", response={204: None}, auth=scope("files:write"))
def delete_file(request: ApiRequest, file_id: UUID) -> Status[None]:
    """Delete a file and its content. 409 for one that is in use."""
    services.file_delete(organisation=request.auth.organisation, file_id=file_id)
    return Status(204, None)
