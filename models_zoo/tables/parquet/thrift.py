"""Thrift's compact protocol, as far as Parquet's headers need it: structs as {field number: value}.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

import struct
from typing import Any

from models_zoo.tables.common import Refused

MAX_DEPTH = 24
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)

Struct = dict[int, Any]


class Reader:
    """Reads from `data`, beginning at `at`. Raises `Refused` for what is cut off or none."""

    def __init__(self, data: bytes | memoryview, at: int = 0) -> None:
        self.data, self.at = data, at

    def struct(self, depth: int = 0) -> Struct:
        """The next struct."""
        if depth > MAX_DEPTH:
            raise Refused("is no Parquet file: its headers are nested too deeply")
        found, number = Struct(), 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else _signed(self.varint())
            found[number] = self._value(kind & 15, depth, in_field=True)
        return found

    def varint(self) -> int:
        """An unsigned number of at most 64 bits (LEB128)."""
        value = shift = 0
        while shift < 70:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise Refused("is no Parquet file: a number in its headers is too long")

    def take(self, count: int) -> bytes:
        """So many bytes."""
        if count < 0 or self.at + count > len(self.data):
            raise Refused("is cut off, or no Parquet file")
        piece = bytes(self.data[self.at : self.at + count])
        self.at += count
        return piece

    def _byte(self) -> int:
        if self.at >= len(self.data):
            raise Refused("is cut off, or no Parquet file")
        self.at += 1
        return self.data[self.at - 1]

    def _value(self, kind: int, depth: int, in_field: bool = False) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE if in_field else self._byte() == _TRUE
        if kind == _BYTE:
            return struct.unpack("b", self.take(1))[0]
        if kind in (_I16, _I32, _I64):
            return _signed(self.varint())
        if kind == _DOUBLE:
            return struct.unpack("<d", self.take(8))[0]
        if kind == _BINARY:
            return self.take(self.varint())
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _MAP:
            return self._map(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise Refused("is no Parquet file: its headers hold an unknown type")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self.varint()
        self._room_for(count)
        return [self._value(head & 15, depth + 1) for _ in range(count)]

    def _map(self, depth: int) -> list[Any]:
        count = self.varint()
        self._room_for(count)
        kinds = self._byte() if count else 0
        return [
            (self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1)) for _ in range(count)
        ]

    def _room_for(self, count: int) -> None:
        if count > len(self.data) - self.at:  # each entry is a byte at least
            raise Refused("is cut off, or no Parquet file")


def _signed(value: int) -> int:
    """Zigzag: 0, -1, 1, -2, ..."""
    return (value >> 1) ^ -(value & 1)
