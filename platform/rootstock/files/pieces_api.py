"""REST: files in pieces, after tus 1.0. A connection that breaks loses nothing of what had come."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from ninja import Router, Schema

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.accounts.tenancy import tenant
from rootstock.errors import DomainError, problem_of
from rootstock.files import resumable, tus
from rootstock.files.models import FileUpload
from rootstock.idempotency.marks import keeps_its_own
from rootstock.paging import Page, page_of, take_page

router = Router(tags=["files"])
P = ParamSpec("P")
View = Callable[Concatenate[ApiRequest, P], HttpResponse]


class FileUploadOut(Schema):
    """A file that comes in pieces: `offset` bytes of `length` are here. `file_id` is what it became."""

    id: UUID
    purpose: str
    name: str
    length: int
    offset: int
    file_id: UUID | None
    created_at: datetime
    expires_at: datetime


def _told(*headers: tuple[str, str, str], problems: tuple[int, ...] = (412,)) -> dict[str, Any]:
    """What the document says of an endpoint's headers and further answers."""
    every = (("Tus-Resumable", tus.VERSION, "The version of the protocol."), *headers)
    return {
        "parameters": [
            {
                "in": "header", "name": name, "required": name != "Upload-Checksum", "description": text,
                "schema": {"type": "string", "examples": [example]},
            }
            for name, example, text in every
        ],
        "responses": {one: {"$ref": f"#/components/responses/Problem{one}"} for one in problems},
    }  # fmt: skip


def _protocol(view: View[P]) -> View[P]:
    """The version is asked for, and told in every answer, refusals among them."""

    @wraps(view)
    def spoken(request: ApiRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            tus.refuse_other_version(request)
            return tus.spoken(view(request, *args, **kwargs))
        except DomainError as error:
            answer = tus.spoken(problem_of(request, error))
            if isinstance(error, tus.OtherVersion):
                answer["Tus-Version"] = tus.VERSION
            return answer

    return spoken


@router.api_operation(["OPTIONS"], "", response={204: None}, auth=scope("files:write"))
def upload_options(request: ApiRequest) -> HttpResponse:
    """What of tus is spoken here."""
    answer = tus.spoken(HttpResponse(status=204))
    answer["Tus-Version"] = tus.VERSION
    answer["Tus-Extension"] = tus.EXTENSIONS
    answer["Tus-Checksum-Algorithm"] = tus.ALGORITHM
    answer["Tus-Max-Size"] = str(settings.FILE_MAX_BYTES)
    return answer


@router.post(
    "", response={201: FileUploadOut}, auth=scope("files:write"),
    openapi_extra=_told(
        ("Upload-Length", "10485760", "How many bytes the file has."),
        ("Upload-Metadata", "purpose bW9kZWw=,filename YWRhcHRlci56aXA=", "`purpose` and `filename`, in base64."),
    ),
)  # fmt: skip
@_protocol
def begin_upload(request: ApiRequest) -> HttpResponse:
    """Begin a file that comes in pieces (tus 1.0, so that any of its clients does).

    Its address is the answer's `Location`. Send the pieces there by PATCH; after a broken connection HEAD says from
    where to go on. Purposes, sizes, quota and checks are those of a file that is sent as one form. It is kept for a
    day after its last piece.
    """
    upload = resumable.upload_create(
        organisation=request.auth.organisation, wanted=tus.wanted_of(request), uploaded_by=request.auth.user
    )
    body = FileUploadOut.from_orm(upload).model_dump_json()
    answer = HttpResponse(body, status=201, content_type="application/json")
    answer["Location"] = f"{settings.FILE_PIECES_PATH}{upload.pk}"
    return tus.spoken(answer, upload)


@router.get("", response=Page[FileUploadOut], auth=scope("files:read"))
def list_file_uploads(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Files that come or came in pieces, the newest first."""
    with tenant(request.auth.organisation):
        rows, following = take_page(FileUpload.objects.all(), cursor=cursor, limit=limit)
    return page_of(rows, following, FileUploadOut.from_orm)


@router.get(
    "/{uuid:upload_id}", response=FileUploadOut, auth=scope("files:read"),
    openapi_extra={"responses": {410: {"$ref": "#/components/responses/Problem410"}}},
)  # fmt: skip
def get_file_upload(request: ApiRequest, upload_id: UUID) -> FileUpload:
    """How far a file has come, and which file it became."""
    return resumable.upload_get(organisation=request.auth.organisation, upload_id=upload_id)


@router.api_operation(
    ["HEAD"], "/{uuid:upload_id}", response={200: None}, auth=scope("files:write"),
    openapi_extra=_told(problems=(410, 412)),
)  # fmt: skip
@_protocol
def upload_offset(request: ApiRequest, upload_id: UUID) -> HttpResponse:
    """From where to go on with a file that comes in pieces: `Upload-Offset`."""
    upload = resumable.upload_get(organisation=request.auth.organisation, upload_id=upload_id)
    answer = tus.spoken(HttpResponse(), upload)
    answer["Upload-Length"] = str(upload.length)
    return answer


@router.patch(
    "/{uuid:upload_id}", response={204: None}, auth=scope("files:write"),
    openapi_extra=_told(
        ("Upload-Offset", "0", "Where the piece begins: as many bytes as are here."),
        ("Upload-Checksum", "sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "The piece's hash; optional."),
        problems=(410, 412, 415, 460),
    ),
)  # fmt: skip
@keeps_its_own
@_protocol
def send_piece(request: ApiRequest, upload_id: UUID) -> HttpResponse:
    """Send a piece of a file (`application/offset+octet-stream`), however long.

    What has come stays when the connection breaks, except of a piece with `Upload-Checksum`. 409 when it does not
    begin where the upload ends. The last piece's answer has the file's id as `X-Rootstock-File`; the file is checked
    as every other is.
    """
    upload = resumable.upload_append(
        organisation=request.auth.organisation,
        upload_id=upload_id,
        piece=tus.piece_of(request),
        read=request.read,
    )
    return tus.spoken(HttpResponse(status=204), upload)


@router.delete(
    "/{uuid:upload_id}", response={204: None}, auth=scope("files:write"),
    openapi_extra=_told(problems=(410, 412)),
)  # fmt: skip
@_protocol
def cancel_upload(request: ApiRequest, upload_id: UUID) -> HttpResponse:
    """Give up a file that comes in pieces. One that is complete stays as the file that it became."""
    resumable.upload_cancel(organisation=request.auth.organisation, upload_id=upload_id)
    return HttpResponse(status=204)
