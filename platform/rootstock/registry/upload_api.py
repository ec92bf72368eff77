"""REST: adapters that somebody brings."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import File, Form, Router, Schema, Status
from ninja.files import UploadedFile
from pydantic import Field

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.accounts.tenancy import tenant
from rootstock.idempotency.marks import claims_first
from rootstock.paging import Page, page_of, refuse_other, take_page
from rootstock.registry import uploads
from rootstock.registry.models import AdapterUpload, UploadState

router = Router(tags=["adapters"])


class UploadCheckOut(Schema):
    """What one check of an uploaded adapter said."""

    check: str
    passed: bool
    text: str


class AdapterUploadOut(Schema):
    """An uploaded adapter: being checked, refused with a reason, or taken as `version`."""

    id: UUID
    name: str
    state: str
    checks: list[UploadCheckOut]
    reason: str
    version: str | None
    brought_by: str = Field(description="person:, key: or client:, and its id")
    job_id: UUID | None
    created_at: datetime
    finished_at: datetime | None


class FromFilesIn(Schema):
    """Files that were uploaded for the purpose `adapter` or `model`: one zip, or the files of a PEFT folder.

    `names` say what each is of an adapter; without them the names do that they were uploaded by.
    """

    name: str
    file_ids: Annotated[list[UUID], Field(min_length=1, max_length=8)]
    names: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=8)] | None = None


@router.post("/adapters/uploads", response={202: AdapterUploadOut}, auth=scope("adapters:write"))
@claims_first
def upload_adapter(
    request: ApiRequest, name: Form[str], files: File[list[UploadedFile]]
) -> Status[AdapterUploadOut]:
    """Bring an adapter (multipart): a zip of a PEFT folder, or its files (`adapter_model.safetensors`,
    `adapter_config.json`, and `head.safetensors` and `card.json` where it has them).

    It is checked by a job: files, tensors, configuration, fit to the base, values, effect. Follow it at
    /api/v1/adapters/uploads/{id}; the first check that refuses says why, and nothing of it is kept.
    """
    row = uploads.adapter_upload(
        organisation=request.auth.organisation, name=name, files=files, uploaded_by=request.auth.user
    )
    return Status(202, upload_out(row))


@router.post("/adapters/uploads/from-files", response={202: AdapterUploadOut}, auth=scope("adapters:write"))
def upload_from_files(request: ApiRequest, payload: FromFilesIn) -> Status[AdapterUploadOut]:
    """The same for files that were uploaded before, in pieces for instance. They are used up by it."""
    row = uploads.upload_create(
        organisation=request.auth.organisation, name=payload.name, file_ids=payload.file_ids,
        names=payload.names, uploaded_by=request.auth.user,
    )  # fmt: skip
    return Status(202, upload_out(row))


@router.get("/adapters/uploads", response=Page[AdapterUploadOut], auth=scope("adapters:read"))
def list_uploads(
    request: ApiRequest, state: str = "", cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Uploaded adapters, the newest first, those that were refused among them."""
    refuse_other("state", state, UploadState.values)
    with tenant(request.auth.organisation):
        rows = AdapterUpload.objects.select_related("version")
        found, following = take_page(rows.filter(state=state) if state else rows, cursor=cursor, limit=limit)
    return page_of(found, following, upload_out)


@router.get("/adapters/uploads/{uuid:upload_id}", response=AdapterUploadOut, auth=scope("adapters:read"))
def get_upload(request: ApiRequest, upload_id: UUID) -> AdapterUploadOut:
    """One uploaded adapter, and what each check said so far."""
    return upload_out(uploads.upload_get(organisation=request.auth.organisation, upload_id=upload_id))


def upload_out(row: AdapterUpload) -> AdapterUploadOut:
    """An upload as it is told."""
    return AdapterUploadOut(
        id=row.pk, name=row.name, state=row.state, reason=row.reason,
        checks=[UploadCheckOut(**check) for check in row.checks],
        version=row.version.reference if row.version else None,
        brought_by=row.brought_by, job_id=row.job_id, created_at=row.created_at, finished_at=row.finished_at,
    )  # fmt: skip
