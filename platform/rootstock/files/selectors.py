"""Reads of files."""

from uuid import UUID

from django.db.models import QuerySet

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound
from rootstock.files.models import FileState, StoredFile
from rootstock.files.purposes import purpose_named
from rootstock.paging import refuse_other, take_page


def files(*, purpose: str | None = None, state: str | None = None) -> QuerySet[StoredFile]:
    """The organisation's files, filtered. Read it inside `tenant()`."""
    refuse_other("state", state, FileState.values)
    found = StoredFile.objects.select_related("uploaded_by")
    if purpose:
        purpose_named(purpose)
        found = found.filter(purpose=purpose)
    return found.filter(state=state) if state else found


def files_page(
    *,
    organisation: Organisation,
    purpose: str | None = None,
    state: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[StoredFile], str | None]:
    """A page of files, newest first."""
    with tenant(organisation):
        return take_page(files(purpose=purpose, state=state), cursor=cursor, limit=limit)


def file_get(*, organisation: Organisation | UUID, file_id: UUID) -> StoredFile:
    """One file."""
    with tenant(organisation):
        found = files().filter(pk=file_id).first()
    if found is None:
        raise NotFound("no such file")
    return found
