"""Unpack an uploaded adapter. The archive is hostile until proven otherwise; nothing in it is trusted or executed.

Only the files that an adapter has are ever written, by names of ours, and only as many bytes as they may have.
"""

from __future__ import annotations

import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from models_zoo.llm.card import (
    ADAPTER_CARD_FILE,
    ADAPTER_CONFIG_FILE,
    ADAPTER_FILE,
    HEAD_FILE,
    AdapterError,
    shown,
)

ARCHIVE = "archive"  # the name under which a zip is given beside single files
MEGABYTE = 1 << 20
MAX_ENTRIES = 64
MAX_DIRECTORY = 64 * 1024  # bytes of the archive's list of entries
DIRECTORY_END, ZIP64_LOCATOR = b"PK\x05\x06", b"PK\x06\x07"
END_BYTES, LONGEST_COMMENT = 22, 65535
ENCRYPTED = 1
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
PIECE = 1 << 16  # bytes read at once
NEEDED = (ADAPTER_FILE, ADAPTER_CONFIG_FILE)
KEPT = {
    ADAPTER_FILE: 512 * MEGABYTE,
    ADAPTER_CONFIG_FILE: MEGABYTE,
    HEAD_FILE: 64 * MEGABYTE,
    ADAPTER_CARD_FILE: MEGABYTE // 4,
}
# what `save_pretrained` and hubs put beside an adapter, none of which is read
PASSED_OVER = {"README.md", ".gitattributes", "LICENSE", "training_args.bin", "special_tokens_map.json"}
PASSED_OVER |= {"tokenizer.json", "tokenizer_config.json", "added_tokens.json", "merges.txt", "vocab.json"}
PASSED_OVER |= {"tokenizer.model", "chat_template.jinja", "generation_config.json", "trainer_state.json"}
UNSAFE = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"}


UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    OSError,
    zlib.error,
)


def unpack_adapter(archive: Path, folder: Path) -> None:
    """Put the files of the adapter in the zip `archive` into the new folder `folder`.

    They lie at the archive's top or in a single folder of it. Raises `AdapterError` naming the entry and the rule that
    it breaks; then there is no `folder`.
    """
    folder.mkdir()
    try:
        _check_directory(archive)
        with zipfile.ZipFile(archive) as opened:
            for name, entry in _chosen(opened.infolist()).items():
                _extract(opened, entry, folder / name)
    except UNREADABLE as error:
        shutil.rmtree(folder)
        if isinstance(error, AdapterError):
            raise
        raise AdapterError(f"not a readable zip archive ({type(error).__name__})") from None


def _check_directory(archive: Path) -> None:
    """Refuse a long list of entries before it is read: `zipfile` would make an object of each."""
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - END_BYTES - LONGEST_COMMENT))
        tail = file.read()
    at = len(tail) - END_BYTES
    if tail[at : at + 4] != DIRECTORY_END:
        at = tail.rfind(DIRECTORY_END)
    if at < 0 or len(tail) - at < END_BYTES:
        raise AdapterError("not a zip archive")
    entries, length = struct.unpack_from("<HI", tail, at + 10)
    if ZIP64_LOCATOR in tail or entries > MAX_ENTRIES or length > MAX_DIRECTORY:
        raise AdapterError(f"the archive has too many entries, expected at most {MAX_ENTRIES}")


def _chosen(entries: Sequence[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The entries to extract, by the names they get."""
    if len(entries) > MAX_ENTRIES:
        raise AdapterError(f"the archive has {len(entries)} entries, expected at most {MAX_ENTRIES}")
    chosen: dict[str, zipfile.ZipInfo] = {}
    tops: set[str] = set()
    for entry in entries:
        path = _safe_path(entry)
        if path is None:
            continue
        if len(path.parts) > 2:
            raise AdapterError(
                f"{shown(entry.filename)}: expected at the top of the archive or in one folder"
            )
        tops.add(path.parts[0] if len(path.parts) == 2 else "")
        name = path.name
        if not is_wanted(path):
            continue
        if name in chosen:
            raise AdapterError(f"{shown(entry.filename)}: the archive holds it twice")
        if entry.file_size > KEPT[name]:
            raise AdapterError(f"{name}: {entry.file_size} bytes, expected at most {KEPT[name]}")
        chosen[name] = entry
    if missing := [name for name in NEEDED if name not in chosen]:
        raise AdapterError(f"{missing[0]}: file is missing")
    if len(tops) > 1:
        raise AdapterError(f"files lie in {len(tops)} folders, expected all of them in one")
    return chosen


def _safe_path(entry: zipfile.ZipInfo) -> PurePosixPath | None:
    """Where the archive says it lies; None for a folder. What points outside, or is no plain file, is refused."""
    name, path = entry.filename, PurePosixPath(entry.filename)
    if name.startswith("/") or "\\" in name or ":" in name or ".." in path.parts or not name.isprintable():
        raise AdapterError(f"{shown(name)}: expected a path within the archive")
    if entry.is_dir():
        return None
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise AdapterError(f"{shown(name)}: expected a plain file, found a link or a device")
    if entry.flag_bits & ENCRYPTED:
        raise AdapterError(f"{shown(name)}: is encrypted")
    if entry.compress_type not in METHODS:
        raise AdapterError(
            f"{shown(name)}: compression method {entry.compress_type}, expected deflate or none"
        )
    return path if path.parts and path.parts[0] != "__MACOSX" else None


def is_wanted(path: PurePosixPath) -> bool:
    """Whether a file of this name is part of an adapter; False for what hubs put beside it. Raises for any other."""
    if path.name in KEPT or path.name in PASSED_OVER:
        return path.name in KEPT
    if path.suffix.lower() in UNSAFE:
        raise AdapterError(f"{shown(str(path))}: pickled weights are not taken, expected safetensors")
    raise AdapterError(f"{shown(str(path))}: unexpected file, expected only {', '.join(KEPT)}")


def _extract(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Write one entry. However much it unpacks to, `zipfile` gives no more than the size that was checked."""
    with opened.open(entry) as source, target.open("xb") as out:
        shutil.copyfileobj(source, out, PIECE)
