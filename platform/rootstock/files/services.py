"""Writes on files: take an upload, check it, hand it out, delete it."""

from typing import BinaryIO
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import read_record
from rootstock.errors import Conflict
from rootstock.files.checking import check_soon
from rootstock.files.contents import content_delete, content_open, content_save
from rootstock.files.models import FileState, StoredFile
from rootstock.files.names import nameless, safe_name
from rootstock.files.purposes import purpose_named
from rootstock.files.quota import room_take
from rootstock.files.rows import file_locked, file_record
from rootstock.files.uploads import Upload, digest_of, too_large
from rootstock.ids import uuid7
from rootstock.privacy.holdings import key_release
from rootstock.privacy.holds import refuse_if_held
from rootstock.privacy.keys import SubjectKey
from rootstock.privacy.subjects import subjects_locked

Tenant = Organisation | UUID


def file_store(
    *,
    organisation: Organisation,
    purpose: str,
    content: Upload,
    uploaded_by: User | None = None,
    subject_id: UUID | None = None,
    promised_to: UUID | None = None,
    checked_later: bool = False,
) -> tuple[StoredFile, bool]:
    """Store an upload and check it: a small one at once, a large one by a job. The file says what came of it.

    A file about a person (`subject_id`) is sealed under the person's key and goes with their erasure. The same
    content again, for the same purpose and person, gives the file that is there, and False. Raises InvalidInput,
    TooLarge, NotFound, and Conflict when the organisation's quota is used up; nothing is stored then. `promised_to`
    is the upload in pieces that had been promised the room. With `checked_later` the caller has it checked.
    """
    refuse_too_large(purpose, content.size or 0)
    row, is_new = _row_create(organisation, purpose, content, uploaded_by, subject_id, promised_to)
    if not is_new:
        return row, False
    try:
        content_save(row, content)
        known = _quarantine(row)
    except BaseException:
        _forget(row)
        raise
    if known is not None:
        _forget(row)
        return known, False
    return (row if checked_later else check_soon(row, content)), True


def refuse_too_large(purpose: str, size: int) -> None:
    """Raise TooLarge for more bytes than the purpose takes, InvalidInput when there is no such purpose."""
    most = min(purpose_named(purpose).max_bytes, settings.FILE_MAX_BYTES)
    if size > most:
        raise too_large(most)


def _row_create(
    organisation: Organisation,
    purpose: str,
    content: Upload,
    by: User | None,
    subject_id: UUID | None,
    promised_to: UUID | None,
) -> tuple[StoredFile, bool]:
    """The row of an upload in progress, or the one that is there with this content."""
    digest = digest_of(content)
    size = content.size or 0
    with tenant(organisation) as owner:
        subject = subjects_locked([subject_id], "subject_id")[0] if subject_id else None
        if known := _known(purpose, digest, subject_id):
            return known, False
        room_take(owner, size, promised_to)
        key = uuid7()
        row = StoredFile.objects.create(
            id=key,
            organisation_id=owner,
            purpose=purpose,
            subject=subject,
            name=nameless(content.name or "") if subject else safe_name(content.name or ""),
            declared_type=_declared(content),
            bytes=size,
            sha256=digest,
            storage_key=f"{owner}/{key}",
            uploaded_by=by,
        )
    return row, True


def _known(purpose: str, digest: str, subject_id: UUID | None) -> StoredFile | None:
    found = StoredFile.objects.filter(purpose=purpose, sha256=digest, subject=subject_id)
    return found.exclude(state=FileState.UPLOADING).first()


def _declared(content: Upload) -> str:
    return (content.content_type or "").encode("ascii", "replace").decode()[:100]


def _quarantine(row: StoredFile) -> StoredFile | None:
    """The content is all there. Returns the other row when the same content had come at the same time."""
    with tenant(row.organisation_id):
        try:
            with transaction.atomic():
                own = StoredFile.objects.filter(pk=row.pk)
                found = own.update(state=FileState.QUARANTINED)
        except IntegrityError:
            return _known(row.purpose, row.sha256, row.subject_id)
        if not found:
            raise Conflict("subject_id: the person's data was erased meanwhile")
        row.state = FileState.QUARANTINED
        # A content about a person can be guessed, and the trail is for ever: no digest of it.
        about = {"subject": str(row.subject_id)} if row.subject_id else {"sha256": row.sha256}
        file_record(row, "uploaded", purpose=row.purpose, bytes=row.bytes, **about)
    return None


def file_open(
    *, organisation: Tenant, file_id: UUID, done: str = "downloaded"
) -> tuple[StoredFile, BinaryIO]:
    """A clean file and its content, to hand out; recorded. Raises Conflict for one that is not clean."""
    with tenant(organisation):
        row = file_locked(file_id)
        refuse_unless_clean(row)
        file_record(row, done)
        if row.subject:
            read_record(
                organisation=organisation,
                subject_type=row.subject.type,
                subject_id=row.subject.pk,
                what=f"file {row.pk}",
            )
    return row, content_open(row)


def refuse_unless_clean(row: StoredFile) -> None:
    """Raise Conflict unless the file passed its checks."""
    if row.state == FileState.REFUSED:
        raise Conflict(f"the file was refused: {row.reason}")
    if not row.is_clean:
        raise Conflict("the file is still being checked")


def file_delete(*, organisation: Tenant, file_id: UUID) -> None:
    """Delete a file and its content. Raises Conflict for one that something is made of."""
    with tenant(organisation):
        row = file_locked(file_id)
        if row.state == FileState.UPLOADING:
            raise Conflict("the file is still being uploaded")
        if row.subject:
            refuse_if_held(row.subject)
        file_remove(row, "deleted")


def file_remove(row: StoredFile, done: str) -> None:
    """Take the row away, and its content once that is committed. Call it inside `tenant()`."""
    _remove(row, done)
    if row.subject:
        key_release(row.subject)


def files_erase(key: SubjectKey) -> None:
    """Take away every file about a person who is being erased. Call it inside `tenant()`."""
    for row in StoredFile.objects.select_for_update().filter(subject=key):
        _remove(row, "erased")


def _remove(row: StoredFile, done: str) -> None:
    try:
        with transaction.atomic():
            StoredFile.objects.filter(pk=row.pk).delete()
    except ProtectedError:
        raise Conflict("the file is in use, by a data set for instance; delete that first") from None
    file_record(row, done, purpose=row.purpose, state=row.state)
    transaction.on_commit(lambda: content_delete(row.storage_key), robust=True)


def _forget(row: StoredFile) -> None:
    """An upload that came to nothing leaves nothing."""
    with tenant(row.organisation_id):
        StoredFile.objects.filter(pk=row.pk, state=FileState.UPLOADING).delete()
    content_delete(row.storage_key)
