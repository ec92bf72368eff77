"""PDF: what a viewer would run, open, start or send is refused, also where it hides in compressed streams.

Names may be written with #xx for any character, and objects may lie in compressed object streams; both are undone
before looking. An encrypted file cannot be looked into and is
refused. An action on opening that only turns to a page is taken: many programs write one.
"""

import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from rootstock.files.scanners.common import Refusal, size_of

MAX_BYTES = 128 * 1024 * 1024
MAX_INFLATED = 256 * 1024 * 1024  # of all streams together
_MAX_STREAM = 32 * 1024 * 1024
ACTIVE = {
    b"JavaScript": "a script", b"JS": "a script", b"Launch": "an action that starts a program",
    b"AA": "an automatic action", b"EmbeddedFile": "an embedded file",
    b"EmbeddedFiles": "embedded files", b"RichMedia": "embedded media", b"SubmitForm": "a form that sends data",
    b"ImportData": "an action that imports data", b"XFA": "an active form", b"GoToE": "an embedded file",
    b"GoToR": "an action that opens another file", b"Movie": "embedded media", b"Sound": "embedded media",
}  # fmt: skip
_NAME = re.compile(rb"/((?:[^\x00\t\n\f\r ()<>\[\]{}/%]){1,127})")
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb"stream\r?\n")


def check_pdf(stream: BinaryIO) -> str:
    """Raises Refusal naming the active content."""
    if size_of(stream) > MAX_BYTES:
        raise Refusal(f"a PDF has at most {MAX_BYTES // 2**20} MiB")
    raw = stream.read()
    _names_checked(raw)
    inflated = 0
    for body in _streams(raw):
        inflated += len(body)
        if inflated > MAX_INFLATED:
            raise Refusal("unpacks to more than is looked into")
        if len(body) >= _MAX_STREAM:
            raise Refusal("holds a stream that unpacks to more than is looked into")
        if b"/" in body and not _is_binary(body):
            _names_checked(body)
    return "no active content"


def _names_checked(raw: bytes) -> None:
    for found in _NAME.finditer(raw):
        name = _ESCAPE.sub(lambda one: bytes((int(one.group(1), 16),)), found.group(1))
        if name == b"Encrypt" and raw.startswith(b"%PDF"):
            raise Refusal("is encrypted, so that it cannot be checked")
        if name in ACTIVE:
            raise Refusal(f"holds {ACTIVE[name]} (/{name.decode()})")


def _streams(raw: bytes) -> Iterator[bytes]:
    """Every stream that zlib can unpack, each up to the cap."""
    for found in _STREAM.finditer(raw):
        unpack = zlib.decompressobj()
        try:
            yield unpack.decompress(memoryview(raw)[found.end() :], _MAX_STREAM)
        except zlib.error:
            continue


def _is_binary(body: bytes) -> bool:
    """Pixels and fonts: more than a tenth of the first bytes are no text. Their slashes mean nothing."""
    head = body[:2048]
    return sum(byte < 9 or byte > 126 for byte in head) * 10 > len(head)
