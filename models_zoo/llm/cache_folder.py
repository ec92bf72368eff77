"""Folders of files that can always be made again: compiled kernels, packed weights. What nobody uses leaves."""

from __future__ import annotations

import os
import re
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

UNUSED_S = 7 * 86400.0  # other versions and processors may share the folder, so age decides
PARTIAL_S = 3600.0  # a file that is still being written is younger
NAME = re.compile(r"[0-9a-f]{16}(\.so|\.safetensors|\.[0-9a-f]{8}\.partial)")


def shared_folder(folder: Path) -> Path:
    """`folder`, made if need be, so that whoever can read what it lies in can read it too. Raises `OSError`."""
    try:
        folder.mkdir()
        folder.chmod(folder.parent.stat().st_mode & 0o755)
    except FileExistsError:
        pass
    return folder


def own_folder() -> Path:
    """Where nothing can be written beside the base: a folder of this user's alone.

    Raises `PermissionError` when what is there is somebody else's, or can be read or written by others.
    """
    folder = Path(tempfile.gettempdir()) / f"rootstock-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a folder of this user's alone")
    return folder


def used(path: Path) -> None:
    """`path` is in use from now on, and what was not used for a week leaves its folder. Raises nothing.

    The time of use is the file's time of access, set here: file systems seldom keep it. Who has mapped a file
    that leaves keeps what is mapped.
    """
    with suppress(OSError):
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
    with suppress(OSError):
        for other in list(path.parent.iterdir()):
            if other != path and NAME.fullmatch(other.name):
                _remove_unused(other)


def _remove_unused(path: Path) -> None:
    with suppress(OSError):
        found = path.lstat()
        age = time.time() - max(found.st_atime, found.st_mtime)
        if stat.S_ISREG(found.st_mode) and age > (PARTIAL_S if path.suffix == ".partial" else UNUSED_S):
            path.unlink()
