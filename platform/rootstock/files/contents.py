"""Contents of files in storage. Of a file about a person it is sealed under the person's key."""

import logging
from typing import Any, BinaryIO, cast

from django.core.files.base import File
from django.core.files.storage import default_storage

from rootstock.errors import STORAGE_AWAY
from rootstock.files.models import StoredFile
from rootstock.files.uploads import Upload, incoming_file
from rootstock.privacy.streams import SealedWriter, sealed_reader

log = logging.getLogger(__name__)


def content_save(row: StoredFile, content: Upload) -> None:
    """Put an upload into storage."""
    if row.subject is None:
        default_storage.save(row.storage_key, content)
        return
    with incoming_file() as sealed:
        writer = SealedWriter(sealed, row.subject, row.storage_key)
        for piece in content.chunks():
            writer.write(piece)
        writer.finish()
        content.seek(0)
        sealed.seek(0)
        default_storage.save(row.storage_key, File(sealed))


def content_open(row: StoredFile) -> BinaryIO:
    """The content as it was uploaded."""
    stored: Any = default_storage.open(row.storage_key)
    return cast(
        BinaryIO, stored if row.subject is None else sealed_reader(stored, row.subject, row.storage_key)
    )


def content_delete(key: str) -> None:
    """Delete content that no row names any more. What fails here is found again by the sweep."""
    try:
        default_storage.delete(key)
    except (OSError, *STORAGE_AWAY):
        log.warning("files: the content %s could not be deleted now; the sweep tries again", key)
