"""Encoded values and levels of a page.

https://github.com/apache/parquet-format/blob/master/Encodings.md
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

from models_zoo.tables.common import MAX_CELL, Refused
from models_zoo.tables.parquet.schema import BOOLEAN, BYTE_ARRAY, DOUBLE, FLOAT, INT32, INT64
from models_zoo.tables.parquet.thrift import Reader

_FORMATS = {INT32: ("i", 4), INT64: ("q", 8), FLOAT: ("f", 4), DOUBLE: ("d", 8)}


def plain(kind: int, data: memoryview, count: int) -> list[Any]:
    """`count` values, one after the other. Raises `Refused`."""
    if kind == BYTE_ARRAY:
        return _texts(data, count)
    if kind == BOOLEAN:
        return [bool(bit) for bit in hybrid_packed(data, 1, count)]
    letter, width = _FORMATS[kind]
    if len(data) < count * width:
        raise Refused("is damaged: a page ends early")
    found = struct.unpack(f"<{count}{letter}", data[: count * width])
    return (
        list(found)
        if letter in "iq"
        else [None if math.isnan(one) or math.isinf(one) else one for one in found]
    )


def _texts(data: memoryview, count: int) -> list[str]:
    found, at = [], 0
    for _ in range(count):
        length = int.from_bytes(data[at : at + 4], "little")
        if at + 4 + length > len(data):
            raise Refused("is damaged: a page ends early")
        found.append(text_of(data[at + 4 : at + 4 + length]))
        at += 4 + length
    return found


def text_of(data: memoryview) -> str:
    """A cell of bytes as text."""
    if len(data) > MAX_CELL:
        raise Refused(f"has a cell of more than {MAX_CELL >> 20} MiB")
    try:
        return bytes(data).decode()
    except UnicodeDecodeError:
        raise Refused("has a cell that is not UTF-8") from None


def hybrid(data: memoryview, width: int, count: int) -> list[int]:
    """`count` numbers of `width` bits: runs of one value, and packed ones."""
    found: list[int] = []
    reader = Reader(data)
    while len(found) < count:
        head = reader.varint()
        if head & 1:
            size = (head >> 1) * width
            piece = data[reader.at : reader.at + size]
            reader.at += len(piece)
            found += hybrid_packed(piece, width, min(count - len(found), len(piece) * 8 // max(width, 1)))
            if width == 0 or (len(piece) < size and len(found) < count):
                raise Refused("is damaged: a page ends early")
        elif head:
            value = int.from_bytes(reader.take((width + 7) // 8), "little")
            found += [value] * min(head >> 1, count - len(found))
        else:
            raise Refused("is damaged: a run of nothing")
    return found


def hybrid_packed(data: memoryview, width: int, count: int) -> list[int]:
    """`count` numbers of `width` bits each, the lowest bits first."""
    if len(data) * 8 < count * width:
        raise Refused("is damaged: a page ends early")
    if width == 8:
        return list(data[:count])
    mask, found = (1 << width) - 1, []
    for start in range(0, count, 8):  # eight of them end at a byte
        at = start // 8 * width
        bits = int.from_bytes(data[at : at + width], "little")
        found += [bits >> shift & mask for shift in range(0, 8 * width, width)]
    return found[:count]


def chosen(dictionary: Sequence[Any], places: Sequence[int]) -> list[Any]:
    """The dictionary's entries at these places."""
    if places and max(places) >= len(dictionary):
        raise Refused("is damaged: a value is not in its dictionary")
    return [dictionary[place] for place in places]
