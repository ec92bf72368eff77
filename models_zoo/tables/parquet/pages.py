"""The values of one column in one group of rows, with the levels that say where they belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from models_zoo.tables.common import Refused
from models_zoo.tables.parquet import codecs
from models_zoo.tables.parquet.schema import BOOLEAN, Node
from models_zoo.tables.parquet.thrift import Reader, Struct
from models_zoo.tables.parquet.values import chosen, hybrid, plain

MAX_PAGE = 64 << 20
MAX_UNPACKED = 256 << 20  # of all pages that are read
MAX_VALUES = 4_000_000
DATA, DICTIONARY, DATA_2 = 0, 2, 3
PLAIN, PLAIN_DICTIONARY, RLE, RLE_DICTIONARY = 0, 2, 3, 8
_META, _CODEC, _VALUES, _SIZE, _FIRST, _FIRST_DICTIONARY = 3, 4, 5, 7, 9, 11
_KIND, _UNPACKED, _PACKED, _DATA, _DICTIONARY, _DATA_2 = 1, 2, 3, 5, 7, 8

Entry = tuple[int, int, Any]  # levels of repetition and definition, and the value


@dataclass(slots=True)
class Budget:
    """What may still be unpacked of the file: bytes, and values."""

    bytes: int = MAX_UNPACKED
    values: int = MAX_VALUES

    def take(self, size: int, values: int) -> None:
        """Raises `Refused` when it is used up."""
        self.bytes, self.values = self.bytes - size, self.values - values
        if self.bytes < 0:
            raise Refused(f"unpacks to more than {MAX_UNPACKED >> 20} MiB")
        if self.values < 0:
            raise Refused(f"holds more than {MAX_VALUES:,} values")


def column_entries(stream: BinaryIO, chunk: Struct, leaf: Node, budget: Budget) -> list[Entry]:
    """Every value of the column in this group of rows, and every place where there is none. Raises `Refused`."""
    meta = chunk.get(_META) or {}
    total, at = meta.get(_VALUES, 0), meta.get(_FIRST_DICTIONARY) or meta.get(_FIRST, 0)
    size = meta.get(_SIZE, 0)
    if not 0 <= total <= MAX_VALUES or size < 0 or at < 0:
        raise Refused("is damaged: a column is not where it should be")
    stream.seek(at)
    data = stream.read(size)
    reader, dictionary, entries = Reader(data), list[Any](), list[Entry]()
    while len(entries) < total:
        header = reader.struct()
        body = reader.take(_size(header, _PACKED))
        budget.take(_size(header, _UNPACKED), _count(header))
        if header.get(_KIND) == DICTIONARY:
            unpacked = codecs.decompress(meta.get(_CODEC, 0), body, _size(header, _UNPACKED))
            dictionary = plain(leaf.kind or 0, memoryview(unpacked), _count(header))
        elif header.get(_KIND) in (DATA, DATA_2):
            entries += _entries(header, body, meta.get(_CODEC, 0), leaf, dictionary)
    return entries


def _size(header: Struct, number: int) -> int:
    size = header.get(number, -1)
    if not isinstance(size, int) or not 0 <= size <= MAX_PAGE:
        raise Refused(f"has a page that is damaged or larger than {MAX_PAGE >> 20} MiB")
    return size


def _count(header: Struct) -> int:
    about: Struct = next((header[number] for number in (_DATA, _DICTIONARY, _DATA_2) if number in header), {})
    count = about.get(1, 0)
    if not isinstance(count, int) or not 0 <= count <= MAX_VALUES:
        raise Refused(f"has a page that is damaged or of more than {MAX_VALUES:,} values")
    return count


def _entries(header: Struct, body: bytes, codec: int, leaf: Node, dictionary: Sequence[Any]) -> list[Entry]:
    count = _count(header)
    if header[_KIND] == DATA:
        about, page = (
            header.get(_DATA) or {},
            memoryview(codecs.decompress(codec, body, _size(header, _UNPACKED))),
        )
        repetition, page = _levels(page, leaf.repeated, count)
        definition, page = _levels(page, leaf.defined, count)
        encoding = about.get(2, PLAIN)
    else:
        about = header.get(_DATA_2) or {}
        definition_size, repetition_size = about.get(5, 0), about.get(6, 0)
        if (
            not 0 <= definition_size + repetition_size <= len(body)
            or min(definition_size, repetition_size) < 0
        ):
            raise Refused("is damaged: a page ends early")
        levels, rest = (
            memoryview(body)[: definition_size + repetition_size],
            body[definition_size + repetition_size :],
        )
        repetition = _packed(levels[:repetition_size], leaf.repeated, count)
        definition = _packed(levels[repetition_size:], leaf.defined, count)
        if about.get(7, True):
            rest = codecs.decompress(codec, rest, _size(header, _UNPACKED) - len(levels)) if rest else b""
        page, encoding = memoryview(rest), about.get(4, PLAIN)
    there = sum(level == leaf.defined for level in definition)
    values = iter(_values(encoding, page, there, leaf.kind or 0, dictionary))
    return [
        (repeated, defined, next(values) if defined == leaf.defined else None)
        for repeated, defined in zip(repetition, definition, strict=True)
    ]


def _levels(page: memoryview, most: int, count: int) -> tuple[list[int], memoryview]:
    """Levels from 0 to `most` at the page's beginning, and what follows them."""
    if most == 0:
        return [0] * count, page
    end = 4 + int.from_bytes(page[:4], "little")
    if end > len(page):
        raise Refused("is damaged: a page ends early")
    return hybrid(page[4:end], most.bit_length(), count), page[end:]


def _packed(levels: memoryview, most: int, count: int) -> list[int]:
    return hybrid(levels, most.bit_length(), count) if most else [0] * count


def _values(encoding: int, page: memoryview, count: int, kind: int, dictionary: Sequence[Any]) -> list[Any]:
    if count == 0:
        return []
    if encoding == PLAIN:
        return plain(kind, page, count)
    if encoding in (PLAIN_DICTIONARY, RLE_DICTIONARY):
        if not len(page) or page[0] > 32:
            raise Refused("is damaged: a page ends early")
        places = hybrid(page[1:], page[0], count) if page[0] else [0] * count
        return chosen(dictionary, places)
    if encoding == RLE and kind == BOOLEAN:
        return [bool(one) for one in hybrid(page[4:], 1, count)]
    raise Refused(
        "is encoded in a way that is not read (delta or split bytes); write it with a dictionary or plain"
    )
