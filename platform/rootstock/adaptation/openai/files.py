"""/v1/files: data to train on, and the figures that trainings leave behind."""

from typing import Any, Literal
from uuid import UUID

from django.http import FileResponse, HttpResponse
from ninja import File, Form, Router
from ninja.files import UploadedFile

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.openai import ids
from rootstock.adaptation.openai.paging import Limit, listed
from rootstock.adaptation.openai.schemas import FileDeleted, FileObject, Files
from rootstock.adaptation.services import KIND, RESULTS
from rootstock.errors import Conflict, InvalidInput
from rootstock.files.checking import file_check
from rootstock.files.models import FileState, StoredFile
from rootstock.files.services import file_delete, file_store
from rootstock.files.serving import download
from rootstock.idempotency.marks import claims_first
from rootstock.jobs.artefacts import artefact_response
from rootstock.jobs.models import JobArtefact

router = Router(tags=["fine-tuning"])
PURPOSE = "fine-tune"
RESULTS_PURPOSE = "fine-tune-results"
_STATUS = {FileState.CLEAN: "processed", FileState.REFUSED: "error"}
Purpose = Literal["fine-tune", "fine-tune-results"]


@router.post("/files", response=FileObject, auth=scope("files:write"))
@claims_first
def create_file(request: ApiRequest, purpose: Form[str], file: File[UploadedFile]) -> dict[str, Any]:
    """Upload data to train on, as JSON Lines. Its content is checked as every upload; its examples when a job
    begins with it."""
    if purpose != PURPOSE:
        raise InvalidInput.field("purpose", f"must be {PURPOSE}")
    if unknown := sorted(set(request.POST) - {"purpose"}):
        raise InvalidInput.field(unknown[0], "is not taken here")
    organisation = request.auth.organisation
    row, _ = file_store(
        organisation=organisation,
        purpose=PURPOSE,
        content=file,
        uploaded_by=request.auth.user,
        checked_later=True,
    )
    row = file_check(organisation=organisation, file_id=row.pk)
    if not row.is_clean:
        raise InvalidInput.field("file", f"was refused: {row.reason}")
    return _file(row)


@router.get("/files", response=Files, auth=scope("files:read"))
def list_files(
    request: ApiRequest,
    purpose: Purpose | None = None,
    after: str | None = None,
    limit: Limit = 100,
    order: Literal["asc", "desc"] = "desc",
) -> dict[str, Any]:
    """Files for training and results of trainings."""
    behind = ids.read(ids.FILE, after, "after") if after else None
    found: list[Any] = []
    with tenant(request.auth.organisation):
        for rows in _rows(purpose):
            ahead = "pk__gt" if order == "asc" else "pk__lt"
            rows = rows.filter(**{ahead: behind}) if behind else rows
            found += rows.order_by("pk" if order == "asc" else "-pk")[: limit + 1]
    found.sort(key=lambda row: row.pk, reverse=order == "desc")
    return listed(found[: limit + 1], limit, _any)


def _rows(purpose: str | None) -> list[Any]:
    """What is told as files, in two tables."""
    uploads = StoredFile.objects.filter(purpose=PURPOSE).exclude(state=FileState.UPLOADING)
    results = JobArtefact.objects.filter(job__kind=KIND, name=RESULTS).exclude(path="")
    return [
        rows for name, rows in ((PURPOSE, uploads), (RESULTS_PURPOSE, results)) if purpose in (None, name)
    ]


@router.get("/files/{file_id}", response=FileObject, auth=scope("files:read"))
def retrieve_file(request: ApiRequest, file_id: str) -> dict[str, Any]:
    """One of them."""
    return _any(_named(request.auth.organisation, file_id))


@router.get("/files/{file_id}/content", auth=scope("files:read"))
def file_content(request: ApiRequest, file_id: str) -> FileResponse | HttpResponse:
    """Its content."""
    row = _named(request.auth.organisation, file_id)
    if isinstance(row, JobArtefact):
        return artefact_response(row)
    return download(organisation=request.auth.organisation, file_id=row.pk)


@router.delete("/files/{file_id}", response=FileDeleted, auth=scope("files:write"))
def delete_file(request: ApiRequest, file_id: str) -> dict[str, Any]:
    """Delete an upload. The data set that a job has made of it stays in the registry."""
    row = _named(request.auth.organisation, file_id)
    if isinstance(row, JobArtefact):
        raise Conflict("results go with their job, or when they expire")
    file_delete(organisation=request.auth.organisation, file_id=row.pk)
    return {"id": file_id}


def upload_named(organisation: Organisation, text: str, field: str) -> StoredFile:
    """An upload to train on. Raises NotFound naming the field."""
    row = _find(organisation, ids.read(ids.FILE, text, field))
    if not isinstance(row, StoredFile):
        raise ids.missing(field, text)
    return row


def _named(organisation: Organisation, text: str) -> StoredFile | JobArtefact:
    found = _find(organisation, ids.read(ids.FILE, text, "file_id"))
    if found is None:
        raise ids.missing("file_id", text)
    return found


def _find(organisation: Organisation, id: UUID) -> StoredFile | JobArtefact | None:
    with tenant(organisation):
        return next((row for rows in _rows(None) if (row := rows.filter(pk=id).first())), None)


def _any(row: StoredFile | JobArtefact) -> dict[str, Any]:
    return _result(row) if isinstance(row, JobArtefact) else _file(row)


def _file(row: StoredFile) -> dict[str, Any]:
    return {
        "id": ids.told(ids.FILE, row.pk), "bytes": row.bytes, "filename": row.name, "purpose": PURPOSE,
        "created_at": int(row.created_at.timestamp()), "status": _STATUS.get(FileState(row.state), "uploaded"),
        "status_details": row.reason or None,
        "expires_at": int(row.expires_at.timestamp()) if row.expires_at else None,
    }  # fmt: skip


def _result(row: JobArtefact) -> dict[str, Any]:
    return {
        "id": ids.told(ids.FILE, row.pk), "bytes": row.size, "filename": row.name, "status": "processed",
        "purpose": RESULTS_PURPOSE, "created_at": int(row.created_at.timestamp()),
        "expires_at": int(row.expires_at.timestamp()),
    }  # fmt: skip
