"""What a file is, by its content. Its name and the sender's word are only compared with that."""

import io
from pathlib import PurePath
from typing import BinaryIO

import puremagic

from rootstock.files.scanners import OOXML, Refusal
from rootstock.files.scanners.common import size_of
from rootstock.files.scanners.tarfiles import is_tar

HEAD = 64 * 1024
EXTENSIONS: dict[str, str] = {
    ".csv": "text/csv",
    ".docx": OOXML + "wordprocessingml.document",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".htm": "text/html",
    ".html": "text/html",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/plain",
    ".ndjson": "application/jsonl",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".pptx": OOXML + "presentationml.presentation",
    ".safetensors": "application/x-safetensors",
    ".svg": "image/svg+xml",
    ".tar": "application/x-tar",
    ".tgz": "application/gzip",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".xlsx": OOXML + "spreadsheetml.sheet",
    ".zip": "application/zip",
}
_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x1f\x8b", "application/gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
)
_OFFICE = {
    "word/": OOXML + "wordprocessingml.document",
    "xl/": OOXML + "spreadsheetml.sheet",
    "ppt/": OOXML + "presentationml.presentation",
}
# Told apart by their name alone: any of them may be any text.
_TEXTS = frozenset({"text/plain", "text/csv", "application/json", "application/jsonl"})
_MARKUP = (("<!doctype html", "text/html"), ("<html", "text/html"), ("<svg", "image/svg+xml"))


def detected_type(stream: BinaryIO, name: str) -> str:
    """The media type by content. Raises Refusal for what is none of ours, or is not what its name says."""
    size_of(stream)
    head = stream.read(HEAD)
    if not head:
        raise Refusal("is empty")
    by_name = EXTENSIONS.get(PurePath(name).suffix.lower(), "")
    found = _by_magic(head, stream) or _by_text(head, by_name)
    if not found:
        named = f"; its name says {by_name}" if by_name else ""
        raise Refusal(f"its content is {_guess(head)}, which is not taken{named}")
    if by_name and by_name != found:
        raise Refusal(f"its name says {by_name}, its content is {found}")
    return found


def _by_magic(head: bytes, stream: BinaryIO) -> str:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if is_tar(head):
        return "application/x-tar"
    if 2 <= int.from_bytes(head[:8], "little") < 1 << 40 and head[8:9] == b"{":
        return "application/x-safetensors"
    found = next((kind for magic, kind in _MAGIC if head.startswith(magic)), "")
    return _office(stream) or found if found == "application/zip" else found


def _office(stream: BinaryIO) -> str:
    """A ZIP archive's first names say whether it is an office document; its directory is not read yet."""
    size = size_of(stream)
    head, at = stream.read(min(size, HEAD)), 0
    names = []
    while (at := head.find(b"PK\x03\x04", at)) >= 0:
        length = int.from_bytes(head[at + 26 : at + 28], "little")
        names.append(head[at + 30 : at + 30 + length].decode("utf-8", "replace"))
        at += 4
    if "[Content_Types].xml" not in names and not any(name.startswith("_rels/") for name in names):
        return ""
    stream.seek(0)
    return next((kind for part, kind in _OFFICE.items() if any(n.startswith(part) for n in names)), "")


def _by_text(head: bytes, by_name: str) -> str:
    """Text is what its name says, unless it is markup."""
    try:
        text = io.TextIOWrapper(io.BytesIO(head), "utf-8-sig", errors="strict").read(HEAD // 4)
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return ""
        text = head.decode("utf-8", "replace")
    if "\x00" in text:
        return ""
    start = text.lstrip()[:2000].lower()
    if start.startswith("#!"):
        return ""
    for mark, kind in _MARKUP:
        if start.startswith(mark) or (start.startswith(("<?xml", "<!--", "<!doctype")) and mark in start):
            return kind
    return by_name if by_name in _TEXTS else "text/plain"


def _guess(head: bytes) -> str:
    """A word for what is refused."""
    try:
        return puremagic.from_string(head, mime=True) or "of an unknown type"
    except (puremagic.PureError, ValueError, IndexError):
        return "of an unknown type"
