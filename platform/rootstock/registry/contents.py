"""Where adapters' files lie: in storage, once for each organisation, and in a local folder of who serves them.

The local folder is a cache: what storage holds is fetched when it is first asked for, and believed by its digest.
"""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from models_zoo.llm.card import CONTENT_FILES, AdapterError, adapter_digest
from rootstock.files.contents import content_delete

PREFIX = "adapters"
_verified: set[str] = set()


def adapter_folder(digest: str) -> Path:
    """Where an adapter's files lie locally, once they do."""
    return Path(settings.ADAPTERS_DIR) / digest


def adapter_keys(organisation: UUID, digest: str) -> dict[str, str]:
    """Where each file of an adapter may lie in storage, by its name."""
    return {name: f"{PREFIX}/{organisation}/{digest}/{name}" for name in CONTENT_FILES}


def adapter_store(organisation: UUID, digest: str, folder: Path) -> None:
    """Put an adapter's files into storage."""
    for name, key in adapter_keys(organisation, digest).items():
        if (folder / name).is_file() and not default_storage.exists(key):
            with (folder / name).open("rb") as content:
                default_storage.save(key, File(content))


def adapter_fetch(organisation: UUID, digest: str) -> Path:
    """An adapter's local folder, fetched from storage if it must be.

    Raises AdapterError when storage does not hold what the digest says.
    """
    target = adapter_folder(digest)
    if _is_whole(target, digest):
        return target
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent) as scratch:
        folder = Path(scratch) / "adapter"
        folder.mkdir()
        for name, key in adapter_keys(organisation, digest).items():
            if default_storage.exists(key):
                with default_storage.open(key) as stored, (folder / name).open("wb") as copy:
                    shutil.copyfileobj(stored, copy)
        if adapter_digest(folder) != digest:
            raise AdapterError(f"{digest[:12]}: storage holds other files than its digest says")
        _place(folder, target)
    _verified.add(digest)
    return target


def _is_whole(target: Path, digest: str) -> bool:
    """Whether the local folder is what its name says; looked at once in a process. The engine sees later changes."""
    if not target.is_dir():
        return False
    if digest not in _verified and adapter_digest(target) == digest:
        _verified.add(digest)
    return digest in _verified


def adapter_discard(organisation: UUID, digest: str) -> None:
    """Take an adapter's files out of storage, and its local folder away."""
    for key in adapter_keys(organisation, digest).values():
        content_delete(key)
    shutil.rmtree(adapter_folder(digest), ignore_errors=True)


def _place(folder: Path, target: Path) -> None:
    """Move a complete folder to its place, unless it is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # somebody else was quicker: it is the same content
        os.rename(folder, target)
