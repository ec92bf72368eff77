"""Office documents and markup: nothing in them may run or call home."""

import re
import zipfile
from typing import BinaryIO

from rootstock.files.scanners.common import Refusal, chunks

_MACROS = re.compile(
    r"vbaproject|vbadata|macrosheets?/|activex|\.bin$|oleobject|embeddings/|customui", re.IGNORECASE
)
_MACRO_TYPES = re.compile(rb"macroEnabled|vbaProject|ms-office\.activeX|oleObject", re.IGNORECASE)
_EXTERNAL = re.compile(rb"TargetMode\s*=\s*[\"']External[\"']", re.IGNORECASE)
_HYPERLINK = re.compile(rb"/relationships/hyperlink[\"']", re.IGNORECASE)
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>", re.IGNORECASE)
_DDE = re.compile(rb"\bDDE(?:AUTO)?\b\s+[\"&a-z]|<ddeLink", re.IGNORECASE)
_MAX_PART = 64 * 1024 * 1024
_PRINTER = re.compile(r"printersettings/.*\.bin$", re.IGNORECASE)
_ACTIVE = re.compile(
    rb"<\s*(?:script|iframe|object|embed|applet|foreignobject|form|base|link|meta[^>]+http-equiv)\b"
    rb"|\son[a-z]{3,}\s*=|(?:javascript|vbscript|data:text/html)\s*:|<!ENTITY|<\?xml-stylesheet",
    re.IGNORECASE,
)
_OVERLAP = 4096


def check_office(stream: BinaryIO) -> str:
    """No macros, no embedded objects, no link that a program follows by itself. Run after the archive's own check."""
    stream.seek(0)
    with zipfile.ZipFile(stream) as archive:
        for entry in archive.infolist():
            if _MACROS.search(entry.filename) and not _PRINTER.search(entry.filename):
                raise Refusal(f"holds a macro or an embedded object ({entry.filename[:80]})")
            if entry.filename.endswith((".xml", ".rels")):
                _part_checked(entry.filename, _read(archive, entry))
    return "no macros, no embedded objects"


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > _MAX_PART:
        raise Refusal(f"a part is larger than is looked into ({entry.filename[:80]})")
    return archive.read(entry)


def _part_checked(name: str, body: bytes) -> None:
    if b"\x00" in body[:4]:
        raise Refusal(f"a part is not in UTF-8 ({name[:80]})")
    if name == "[Content_Types].xml" and _MACRO_TYPES.search(body):
        raise Refusal("declares macros or embedded objects")
    if name.endswith(".rels"):
        for relation in _RELATION.findall(body):
            if _EXTERNAL.search(relation) and not _HYPERLINK.search(relation):
                raise Refusal(f"loads something from elsewhere ({name[:80]})")
    if _DDE.search(body) or b"<!ENTITY" in body:
        raise Refusal(f"holds a field that starts a program, or an entity ({name[:80]})")


def check_markup(stream: BinaryIO) -> str:
    """HTML and SVG without scripts. They are only ever handed out as a download, whatever they hold."""
    before = b""
    for piece in chunks(stream):
        window = before + piece
        if found := _ACTIVE.search(window):
            raise Refusal(f"holds active content ({found.group()[:20].decode('ascii', 'replace').strip()}…)")
        before = window[-_OVERLAP:]
    return "no scripts; handed out as a download only"
