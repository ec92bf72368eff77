"""The bytes of files that come in pieces: one file for each in FILE_INCOMING_DIR, which all processes share.

No lock is held while a caller is waited for. Each block is written under the file's lock, and only where the block
before it ended: of two who write at once one goes on and the other is told, whatever became of either's connection.
"""

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.conf import settings

from rootstock.errors import Conflict, FieldProblem, NotFound, Unavailable
from rootstock.files.models import FileUpload

BLOCK = 64 * 1024
_NAME = re.compile(r"([0-9a-f-]{36})\.([0-9a-f-]{36})\.part")


def length(upload: FileUpload) -> int:
    """How many bytes are there."""
    try:
        return _path(upload).stat().st_size
    except FileNotFoundError:
        return 0


def append(upload: FileUpload, at: int, blocks: Iterable[bytes]) -> None:
    """Write blocks behind the first `at` bytes as they come.

    Raises Conflict naming Upload-Offset when there are more or fewer bytes, also in between; what was written stays.
    """
    Path(settings.FILE_INCOMING_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(_path(upload), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for block in blocks:
            with _locked(descriptor):
                _refuse_elsewhere(descriptor, at)
                _write(descriptor, block, at)
            at += len(block)
    finally:
        os.close(descriptor)


@contextmanager
def held(upload: FileUpload) -> Iterator[BinaryIO]:
    """All of the bytes, for one reader alone. Raises Conflict for a second one."""
    try:
        with _path(upload).open("rb") as lock, _path(upload).open("rb") as content:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict("the upload is being taken in", retry_after=1) from None
            _refuse_removed(lock.fileno())
            yield content
    except FileNotFoundError:
        raise NotFound("no such upload") from None


def remove(upload: FileUpload) -> None:
    """Take the bytes away. Who still writes is told so with the next block."""
    _path(upload).unlink(missing_ok=True)


def left() -> Iterator[tuple[UUID, UUID, Path]]:
    """What lies there: the organisation, the upload and where."""
    folder = Path(settings.FILE_INCOMING_DIR)
    for path in folder.iterdir() if folder.is_dir() else ():
        if found := _NAME.fullmatch(path.name):
            yield UUID(found[1]), UUID(found[2]), path


def _path(upload: FileUpload) -> Path:
    return Path(settings.FILE_INCOMING_DIR) / f"{upload.organisation_id}.{upload.pk}.part"


def _refuse_elsewhere(descriptor: int, at: int) -> None:
    _refuse_removed(descriptor)
    if (there := os.fstat(descriptor).st_size) != at:
        reason = f"must be {there}, which is how many bytes are here"
        raise Conflict(f"Upload-Offset: {reason}", errors=[FieldProblem("Upload-Offset", reason)])


def _refuse_removed(descriptor: int) -> None:
    if not os.fstat(descriptor).st_nlink:
        raise NotFound("no such upload")


def _write(descriptor: int, block: bytes, at: int) -> None:
    view = memoryview(block)
    try:
        while view:
            written = os.pwrite(descriptor, view, at)
            view, at = view[written:], at + written
    except OSError:
        raise Unavailable("there is no room for files here now", retry_after=60) from None


@contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
