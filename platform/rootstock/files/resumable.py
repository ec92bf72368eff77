"""Files that come in pieces: promised room, written as they come, and then taken like any other upload."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db import connection
from django.utils import timezone

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.errors import BadBody, Conflict, DomainError, FieldProblem, Gone, NotFound, TooLarge
from rootstock.files import pieces
from rootstock.files.models import FileUpload
from rootstock.files.names import safe_name
from rootstock.files.quota import room_take, uploads_open
from rootstock.files.services import file_store, refuse_too_large
from rootstock.files.tus import ChecksumMismatch, Piece, Wanted
from rootstock.files.uploads import incoming_file

log = logging.getLogger(__name__)
KEPT = timedelta(hours=24)  # after its last piece
REMEMBERED = timedelta(days=1)  # that it was there
MOST_OPEN = 100
Read = Callable[[int], bytes]


def upload_create(*, organisation: Organisation, wanted: Wanted, uploaded_by: User | None) -> FileUpload:
    """Promise room for a file. Raises InvalidInput, TooLarge, and Conflict when the quota is used up."""
    refuse_too_large(wanted.purpose, wanted.length)
    with tenant(organisation) as owner:
        room_take(owner, wanted.length)
        if uploads_open().count() >= MOST_OPEN:
            raise Conflict(f"{MOST_OPEN} uploads are unfinished; finish or delete some first")
        return FileUpload.objects.create(
            organisation_id=owner,
            purpose=wanted.purpose,
            name=safe_name(wanted.name),
            declared_type=wanted.type.encode("ascii", "replace").decode()[:100],
            length=wanted.length,
            uploaded_by=uploaded_by,
            expires_at=timezone.now() + KEPT,
        )


def upload_get(*, organisation: Organisation, upload_id: UUID) -> FileUpload:
    """One upload, with how far it has come. Raises Gone for one whose time is over."""
    with tenant(organisation):
        found = FileUpload.objects.select_related("organisation", "uploaded_by").filter(pk=upload_id).first()
    if found is None:
        raise NotFound("no such upload")
    if found.expires_at <= timezone.now():
        raise Gone("the upload's time is over; begin it again")
    if found.finished_at is None:
        found.offset = pieces.length(found)
    return found


def upload_append(*, organisation: Organisation, upload_id: UUID, piece: Piece, read: Read) -> FileUpload:
    """Take a piece in, and the whole file once it is complete.

    Raises Conflict for a piece that does not begin where the upload ends, TooLarge for one that goes beyond its
    length, BadBody for one that broke off: what had come stays, unless the piece has a checksum.
    """
    upload = upload_get(organisation=organisation, upload_id=upload_id)
    _refuse_misplaced(upload, piece)
    if upload.finished_at is not None:
        return upload
    try:
        if piece.length:
            _take(upload, piece, read)
    finally:
        _note(upload)
    return upload_finish(upload) if upload.offset == upload.length else upload


def upload_finish(upload: FileUpload) -> FileUpload:
    """Make a stored file of a complete upload. A second try after an interrupted one finds what the first made."""
    with pieces.held(upload) as stream:
        content = UploadedFile(stream, upload.name, upload.declared_type, upload.length)
        stored, _ = file_store(
            organisation=upload.organisation, purpose=upload.purpose, content=content,
            uploaded_by=upload.uploaded_by, promised_to=upload.pk,
        )  # fmt: skip
        upload.file, upload.finished_at, upload.offset = stored, timezone.now(), upload.length
        with tenant(upload.organisation_id):  # the row may be gone: whoever cancelled was too late
            FileUpload.objects.filter(pk=upload.pk).update(
                file=stored, finished_at=upload.finished_at, offset=upload.length
            )
        pieces.remove(upload)
    return upload


def upload_cancel(*, organisation: Organisation, upload_id: UUID) -> None:
    """Forget an upload and what has come of it. The file that it has become stays."""
    upload = upload_get(organisation=organisation, upload_id=upload_id)
    with tenant(organisation):
        FileUpload.objects.filter(pk=upload.pk).delete()
    pieces.remove(upload)


def uploads_sweep() -> int:
    """Finish what is complete, take away what nobody may continue. Returns how many were taken away."""
    count = 0
    for organisation, upload_id, path in pieces.left():
        with tenant(organisation):
            upload = uploads_open().select_related("organisation", "uploaded_by").filter(pk=upload_id).first()
        if upload is None:
            path.unlink(missing_ok=True)
            count += 1
        elif pieces.length(upload) == upload.length:
            _finish_quietly(upload)
    return count


def uploads_forget(organisation: Organisation) -> int:
    """Rows of uploads whose time has been over for a day."""
    with tenant(organisation):
        return FileUpload.objects.filter(expires_at__lt=timezone.now() - REMEMBERED).delete()[0]


def _refuse_misplaced(upload: FileUpload, piece: Piece) -> None:
    if piece.offset != upload.offset:
        reason = f"must be {upload.offset}, which is how many bytes are here"
        raise Conflict(f"Upload-Offset: {reason}", errors=[FieldProblem("Upload-Offset", reason)])
    if piece.offset + piece.length > upload.length:
        reason = f"goes beyond Upload-Length: {upload.length - piece.offset} bytes are missing"
        raise TooLarge(f"Content-Length: {reason}", errors=[FieldProblem("Content-Length", reason)])


def _take(upload: FileUpload, piece: Piece, read: Read) -> None:
    """The caller may be slow: meanwhile its request holds no connection to the database."""
    if not connection.in_atomic_block:
        connection.close()
    if piece.sha256 is None:
        pieces.append(upload, piece.offset, _blocks(read, piece.length))
        return
    with incoming_file() as spool:
        digest = hashlib.sha256()
        for block in _blocks(read, piece.length):
            digest.update(block)
            spool.write(block)
        if digest.digest() != piece.sha256:
            raise ChecksumMismatch("Upload-Checksum: other bytes came than it is of; they were not kept")
        spool.seek(0)
        pieces.append(upload, piece.offset, _blocks(spool.read, piece.length))


def _blocks(read: Read, length: int) -> Iterator[bytes]:
    while length:
        block = read(min(length, pieces.BLOCK))
        if not block:
            raise BadBody.because("ended in the middle")
        length -= len(block)
        yield block


def _note(upload: FileUpload) -> None:
    upload.offset, upload.expires_at = pieces.length(upload), timezone.now() + KEPT
    with tenant(upload.organisation_id):
        open_still = FileUpload.objects.filter(pk=upload.pk, finished_at=None)
        open_still.update(offset=upload.offset, expires_at=upload.expires_at)


def _finish_quietly(upload: FileUpload) -> None:
    """What fails with one keeps none of the others waiting; it is tried again until its time is over."""
    try:
        upload_finish(upload)
    except DomainError as error:
        log.warning("files: the upload %s cannot be finished now: %s", upload.pk, error.code)
    except Exception:
        log.exception("files: the upload %s cannot be finished now", upload.pk)
