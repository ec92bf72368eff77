"""What tus 1.0 says in headers (https://tus.io/protocols/resumable-upload): read, checked, and named when wrong."""

import binascii
from base64 import b64decode
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date

from rootstock.errors import DomainError, InvalidInput, OtherType
from rootstock.files.models import FileUpload

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,checksum,termination"
BODY_TYPE = "application/offset+octet-stream"
ALGORITHM = "sha256"
_MOST_METADATA = 4096


class OtherVersion(DomainError):
    """Another version of the protocol was asked for."""

    code = "unsupported_version"
    http_status = 412


class ChecksumMismatch(DomainError):
    """What came is not what was sent; tus has a status of its own for it."""

    code = "checksum_mismatch"
    http_status = 460


@dataclass(slots=True, frozen=True)
class Wanted:
    """A file that is to be sent in pieces."""

    purpose: str
    name: str
    type: str
    length: int


@dataclass(slots=True, frozen=True)
class Piece:
    """A piece of one: where it begins, how long it is, and its hash where one was sent."""

    offset: int
    length: int
    sha256: bytes | None


def refuse_other_version(request: HttpRequest) -> None:
    """Every request but OPTIONS says which version it speaks."""
    given = request.headers.get("Tus-Resumable")
    if given is None:
        raise _missing("Tus-Resumable", f"{VERSION}")
    if given != VERSION:
        raise OtherVersion(f"Tus-Resumable: {VERSION} is spoken here")


def wanted_of(request: HttpRequest) -> Wanted:
    """Upload-Length and Upload-Metadata of a creation."""
    if "Upload-Defer-Length" in request.headers:
        raise InvalidInput.field("Upload-Defer-Length", "is not taken: send Upload-Length")
    length = _number(request, "Upload-Length")
    if not length:
        raise InvalidInput.field("Upload-Length", "must be at least 1")
    told = _metadata(request.headers.get("Upload-Metadata", ""))
    if told.get("subject_id"):
        reason = "subject_id: a file about a person is sent as one form, to /api/v1/files"
        raise InvalidInput.field("Upload-Metadata", reason)
    if not told.get("purpose"):
        raise _missing("Upload-Metadata", "a purpose, in base64")
    return Wanted(
        purpose=told["purpose"],
        name=told.get("filename") or told.get("name") or "",
        type=told.get("filetype") or told.get("type") or "",
        length=length,
    )


def piece_of(request: HttpRequest) -> Piece:
    """Upload-Offset, Content-Length and Upload-Checksum of a piece."""
    if request.content_type != BODY_TYPE:
        raise OtherType.than(BODY_TYPE)
    return Piece(_number(request, "Upload-Offset"), _number(request, "Content-Length"), _checksum(request))


def spoken(response: HttpResponse, upload: FileUpload | None = None) -> HttpResponse:
    """With the headers that every answer has, and those of an upload."""
    response["Tus-Resumable"] = VERSION
    if upload is not None:
        response["Upload-Offset"] = str(upload.offset)
        response["Upload-Expires"] = http_date(upload.expires_at.timestamp())
        if upload.file_id:
            response["X-Rootstock-File"] = str(upload.file_id)
    return response


def _number(request: HttpRequest, name: str) -> int:
    given = request.headers.get(name, "")
    if not given:
        raise _missing(name, "a number of bytes")
    if not (given.isascii() and given.isdecimal() and len(given) <= 15):
        raise InvalidInput.field(name, "must be a number of bytes")
    return int(given)


def _metadata(given: str) -> dict[str, str]:
    """Pairs of a key and a value in base64, with commas between them."""
    if len(given) > _MOST_METADATA:
        raise InvalidInput.field("Upload-Metadata", f"must have at most {_MOST_METADATA} characters")
    found = {}
    for pair in filter(None, (part.strip() for part in given.split(","))):
        key, _, value = pair.partition(" ")
        try:
            text = b64decode(value, validate=True).decode()
        except (ValueError, UnicodeDecodeError):
            raise InvalidInput.field("Upload-Metadata", f"{key[:40]}: must be text in base64") from None
        if "\x00" in text or not key:
            raise InvalidInput.field("Upload-Metadata", "holds a NUL character or a value without a key")
        found[key] = text
    return found


def _checksum(request: HttpRequest) -> bytes | None:
    given = request.headers.get("Upload-Checksum")
    if given is None:
        return None
    algorithm, _, value = given.partition(" ")
    try:
        digest = b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        digest = b""
    if algorithm != ALGORITHM or len(digest) != 32:
        raise InvalidInput.field("Upload-Checksum", f"must be {ALGORITHM} and the hash in base64")
    return digest


def _missing(name: str, wanted: str) -> InvalidInput:
    return InvalidInput.field(name, f"is missing; expected {wanted}")
