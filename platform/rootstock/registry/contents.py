"""Where adapters' files lie: in storage, once for each organisation, and in a local folder of who serves them.

The local folder is a cache: what storage holds is fetched when it is first asked for, and believed by its digest.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection

from models_zoo.llm.card import CONTENT_FILES, AdapterError, adapter_digest
from rootstock.accounts.tenancy import tenant
from rootstock.errors import AWAY
from rootstock.files.contents import content_delete
from rootstock.registry.models import AdapterVersion
from rootstock.registry.scratch import scratch_folder

log = logging.getLogger(__name__)
PREFIX, UPLOADS = "adapters", "intake"
FETCHING = ".fetching-"
_PIECE = 1 << 20
_verified: set[str] = set()


def adapter_folder(digest: str) -> Path:
    """Where an adapter's files lie locally, once they do."""
    return Path(settings.ADAPTERS_DIR) / digest


def adapter_keys(organisation: UUID, digest: str) -> dict[str, str]:
    """Where each file of an adapter may lie in storage, by its name."""
    return {name: f"{PREFIX}/{organisation}/{digest}/{name}" for name in CONTENT_FILES}


def upload_keys(organisation: UUID, upload: UUID) -> dict[str, str]:
    """The same for an upload that is being tried: nothing of it lies among the adapters."""
    return {name: f"{UPLOADS}/{organisation}/{upload}/{name}" for name in CONTENT_FILES}


def folder_store(keys: dict[str, str], folder: Path) -> None:
    """Put an adapter's files into storage."""
    for name, key in keys.items():
        if (folder / name).is_file():
            with (folder / name).open("rb") as content:
                content_put(key, content)


def content_put(key: str, content: BinaryIO) -> None:
    """Store a file whole. What is there already stays if it is the same; what a killed process left goes."""
    if default_storage.exists(key):
        with default_storage.open(key) as stored:
            if _is_same(stored, content):
                return
        default_storage.delete(key)
    content.seek(0)
    try:
        name = default_storage.save(key, File(content))
    except BaseException:
        content_delete(key)
        raise
    if name != key:  # somebody stored it at the same moment
        content_delete(name)


def _is_same(one: Any, other: BinaryIO) -> bool:
    other.seek(0)
    while piece := one.read(_PIECE):
        if other.read(len(piece)) != piece:
            return False
    return not other.read(1)


def adapter_fetch(organisation: UUID, digest: str) -> Path:
    """An adapter's local folder, fetched from storage if it must be.

    Raises AdapterError when storage does not hold what the digest says.
    """
    target = adapter_folder(digest)
    if _is_whole(target, digest):
        return target
    shutil.rmtree(target, ignore_errors=True)
    with scratch_folder(target.parent, FETCHING) as scratch:
        _place(_fetched(adapter_keys(organisation, digest), digest, scratch), target)
    _verified.add(digest)
    return target


@contextmanager
def upload_fetched(organisation: UUID, upload: UUID, digest: str) -> Iterator[Path]:
    """A local folder of an upload that is being tried, for as long as that takes."""
    with scratch_folder(Path(settings.ADAPTERS_DIR), FETCHING) as scratch:
        yield _fetched(upload_keys(organisation, upload), digest, scratch)


def _fetched(keys: dict[str, str], digest: str, scratch: Path) -> Path:
    folder = scratch / "adapter"
    folder.mkdir()
    for name, key in keys.items():
        if default_storage.exists(key):
            with default_storage.open(key) as stored, (folder / name).open("wb") as copy:
                shutil.copyfileobj(stored, copy)
    if adapter_digest(folder) != digest:
        raise AdapterError(f"{digest[:12]}: storage holds other files than its digest says")
    return folder


def _is_whole(target: Path, digest: str) -> bool:
    """Whether the local folder is what its name says; looked at once in a process. The engine sees later changes."""
    if not target.is_dir():
        return False
    if digest not in _verified and adapter_digest(target) == digest:
        _verified.add(digest)
    return digest in _verified


def keys_delete(keys: dict[str, str]) -> None:
    """Take an adapter's files out of storage, and their folder where storage has such a thing."""
    for key in keys.values():
        content_delete(key)
    content_delete(next(iter(keys.values())).rpartition("/")[0])


@contextmanager
def content_locked(organisation: UUID, digest: str) -> Iterator[None]:
    """A transaction in which nobody else registers this content for the organisation, or takes its files away."""
    with tenant(organisation):
        with connection.cursor() as cursor:
            name = f"adapter {organisation} {digest}"
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        yield


def adapter_discard(organisation: UUID, digest: str) -> None:
    """Take the files out of storage of what was not registered after all; a version's stay, whoever brought it."""
    try:
        with content_locked(organisation, digest):
            if not AdapterVersion.objects.filter(digest=digest).exists():
                keys_delete(adapter_keys(organisation, digest))
    except (DatabaseError, *AWAY) as error:
        log.warning("adapter %s: its files stay for the sweep: %s", digest[:12], type(error).__name__)


def _place(folder: Path, target: Path) -> None:
    """Move a complete folder to its place, unless it is there."""
    with suppress(OSError):  # somebody else was quicker: it is the same content
        os.rename(folder, target)
