"""Receiving uploads: every file of a form goes to disk as it comes, with a running hash and a cap."""

import hashlib
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from rootstock.errors import FieldProblem, TooLarge

if TYPE_CHECKING:
    Upload: TypeAlias = UploadedFile[bytes]
else:
    Upload = UploadedFile  # not generic when it runs


def incoming_file() -> IO[bytes]:
    """A file without a name in FILE_INCOMING_DIR: however the process ends, the kernel takes it away."""
    Path(settings.FILE_INCOMING_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=settings.FILE_INCOMING_DIR)


class HashedUpload(Upload):
    """An upload on disk, with the SHA-256 of what was received."""

    def __init__(self, name: str, content_type: str, charset: str | None, extra: Any) -> None:
        super().__init__(incoming_file(), name, content_type, 0, charset, extra)
        self.sha256 = ""


class HashingUploadHandler(FileUploadHandler):
    """Writes what comes to FILE_INCOMING_DIR."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """A file begins."""
        super().new_file(*args, **kwargs)
        self.file = HashedUpload(
            self.file_name or "", self.content_type or "", self.charset, self.content_type_extra
        )
        self._digest, self._taken = hashlib.sha256(), 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """A piece of it."""
        self._taken += len(raw_data)
        if self._taken > settings.FILE_MAX_BYTES:
            raise too_large(settings.FILE_MAX_BYTES)
        self._digest.update(raw_data)
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> Upload:
        """Its end."""
        self.file.seek(0)
        self.file.size, self.file.sha256 = file_size, self._digest.hexdigest()
        return self.file


def too_large(limit: int) -> TooLarge:
    """The refusal of a file that is larger than the limit."""
    reason = f"at most {limit / 2**20:g} MiB are taken"
    return TooLarge(f"file: {reason}", errors=[FieldProblem("file", reason)])


def digest_of(content: Upload) -> str:
    """The SHA-256 of an upload; read again where it did not come through the handler above."""
    if isinstance(content, HashedUpload) and content.sha256:
        return content.sha256
    digest = hashlib.sha256()
    for piece in content.chunks():
        digest.update(piece)
    content.seek(0)
    return digest.hexdigest()
