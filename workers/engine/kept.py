"""Prepared weights beside an adapter's files: read again, it is copied, not verified, converted and coded anew.

Such a file can always be made again, and goes with its folder. It is believed for as long as the process that wrote it
lives, and only if every byte is as it was written: whoever changes it changes no answer.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from torch import Tensor, uint8

FREE = 0.1  # share of the disk that stays free
PIECE = 1 << 22  # bytes that are read and hashed at a time, in the processor's cache for both


class KeptError(OSError):
    """What lies there is not what was written."""


def keep(path: Path, data: Tensor) -> str | None:
    """Write `data`, on the host, to `path`, whole or not at all; its digest, or None where it cannot be written."""
    raw = data.view(uint8).numpy().data.cast("B")
    partial = path.with_name(f".{path.name}-{uuid4().hex}")
    try:
        disk = shutil.disk_usage(path.parent)
        if disk.free - len(raw) < FREE * disk.total:
            return None
        partial.write_bytes(raw)
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        return None
    return hashlib.sha256(raw).hexdigest()


def fill(data: Tensor, path: Path, digest: str) -> None:
    """Read into `data`, on the host, what was kept at `path`. Raises `KeptError` and `OSError`.

    Two calls a piece, in which other threads go on.
    """
    raw = data.view(uint8).numpy().data.cast("B")
    found = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size != len(raw):
            raise KeptError(f"{path}: {os.fstat(file.fileno()).st_size} bytes, {len(raw)} were written")
        for start in range(0, len(raw), PIECE):
            piece = raw[start : start + PIECE]
            _read(file, piece, path)
            found.update(piece)
    if found.hexdigest() != digest:
        raise KeptError(f"{path}: not what was written")


def _read(file: BinaryIO, piece: memoryview, path: Path) -> None:
    done = 0
    while done < len(piece):
        count = file.readinto(piece[done:])  # type: ignore[attr-defined]
        if not count:
            raise KeptError(f"{path}: cut short")
        done += count
