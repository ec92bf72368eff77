"""Compressed pages, made as large as their headers say and no larger.

Snappy: https://github.com/google/snappy/blob/main/format_description.txt
"""

from __future__ import annotations

import zlib

from models_zoo.tables.common import Refused
from models_zoo.tables.parquet.thrift import Reader

UNCOMPRESSED, SNAPPY, GZIP = 0, 1, 2
NAMES = {3: "LZO", 4: "Brotli", 5: "LZ4", 6: "Zstandard", 7: "LZ4"}
TAKEN = "written without compression, with Snappy or with gzip"


def decompress(codec: int, data: bytes, size: int) -> bytes:
    """The `size` bytes of a page. Raises `Refused` for another codec, or when they are not as many."""
    if codec == UNCOMPRESSED:
        found = data
    elif codec == SNAPPY:
        found = _snappy(data, size)
    elif codec == GZIP:
        found = _gzip(data, size)
    else:
        raise Refused(f"is compressed with {NAMES.get(codec, 'an unknown codec')}; it is read when {TAKEN}")
    if len(found) != size:
        raise Refused("is damaged: a page is not as large as it says")
    return found


def _gzip(data: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj(wbits=47).decompress(data, size or 1)
    except zlib.error:
        raise Refused("is damaged: a page cannot be decompressed") from None


def _snappy(data: bytes, size: int) -> bytes:
    reader = Reader(data)
    if reader.varint() != size:
        raise Refused("is damaged: a page is not as large as it says")
    out = bytearray()
    while reader.at < len(data):
        tag = reader.take(1)[0]
        if tag & 3 == 0:
            out += reader.take(_literal_length(reader, tag >> 2))
        else:
            _copy(out, *_reference(reader, tag))
        if len(out) > size:
            raise Refused("is damaged: a page is not as large as it says")
    return bytes(out)


def _literal_length(reader: Reader, length: int) -> int:
    return length + 1 if length < 60 else int.from_bytes(reader.take(length - 59), "little") + 1


def _reference(reader: Reader, tag: int) -> tuple[int, int]:
    """How far back, and how many bytes."""
    if tag & 3 == 1:
        return (tag >> 5) << 8 | reader.take(1)[0], 4 + (tag >> 2 & 7)
    return int.from_bytes(reader.take(2 if tag & 3 == 2 else 4), "little"), 1 + (tag >> 2)


def _copy(out: bytearray, back: int, length: int) -> None:
    start = len(out) - back
    if back == 0 or start < 0:
        raise Refused("is damaged: a page cannot be decompressed")
    piece = bytes(out[start : start + length])
    while len(piece) < length:  # what is copied may be what was just written
        piece += piece[: length - len(piece)]
    out += piece
