"""GGUF's header, read strictly from a memory map: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

A file is not trusted: every count is checked against what is left of the file before anything is reserved,
and what is read stays within a small multiple of the header's own size.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models_zoo.llm.card import ModelError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_KEYS, MAX_TENSORS, MAX_DIMENSIONS = 4096, 1 << 16, 4
MAX_STRING, MAX_ITEMS, MAX_HEADER = 1 << 20, 1 << 22, 1 << 28  # bytes; items of all arrays; bytes
STRING, ARRAY = 8, 9
SCALARS = dict(enumerate(("<u1", "<i1", "<u2", "<i2", "<u4", "<i4", "<f4", "|b1")))
SCALARS |= {10: "<u8", 11: "<i8", 12: "<f8"}


@dataclass(slots=True, frozen=True)
class StoredTensor:
    """Where a tensor lies: `shape` is [rows, columns] or [size], `start` counts from the file's begin."""

    name: str
    shape: tuple[int, ...]
    kind: int
    start: int


class GgufHeader:
    """The metadata and tensor table of a little-endian GGUF file.

    Raises `ModelError` for a missing, cut or malformed file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, Any] = {}
        self.tensors: dict[str, StoredTensor] = {}
        try:
            with path.open("rb") as stream:
                self.map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # ValueError: an empty file
            raise ModelError(f"{path}: not a readable GGUF file: {error}") from error
        cursor = _Cursor(self.map, path)
        tensors, keys = _counts(cursor)
        for _ in range(keys):
            self._read_value(cursor)
        found = [_tensor(cursor) for _ in range(tensors)]
        self._place(found, cursor)

    def _read_value(self, cursor: _Cursor) -> None:
        key = cursor.string()
        if key in self.values:
            raise cursor.broken(f"key {key} stands there twice")
        self.values[key] = _value(cursor, cursor.integer("<I"), key)

    def _place(self, found: list[StoredTensor], cursor: _Cursor) -> None:
        """Offsets count from the end of the header, rounded up to the alignment."""
        alignment = self.values.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 16:
            raise cursor.broken(f"general.alignment is {alignment!r}, expected 1 to {1 << 16}")
        data = -(-cursor.at // alignment) * alignment
        for tensor in found:
            if tensor.name in self.tensors:
                raise cursor.broken(f"tensor {tensor.name} stands there twice")
            placed = StoredTensor(tensor.name, tensor.shape, tensor.kind, data + tensor.start)
            self.tensors[tensor.name] = placed


class _Cursor:
    """Reads forward through the map; never past its end."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self._data = data
        self._path = path
        self.at = 0
        self.items = 0

    def broken(self, reason: str) -> ModelError:
        return ModelError(f"{self._path}: not a readable GGUF file: {reason}")

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self.at:
            raise self.broken(f"{count} bytes expected at {self.at}, the file ends at {len(self._data)}")
        self.at += count
        if self.at > MAX_HEADER:
            raise self.broken(f"its header is longer than {MAX_HEADER} bytes")
        return self._data[self.at - count : self.at]

    def integer(self, layout: str) -> int:
        value: int = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        return value

    def string(self) -> str:
        length = self.integer("<Q")
        if length > MAX_STRING:
            raise self.broken(f"a text of {length} bytes at {self.at}, at most {MAX_STRING} are read")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError as error:
            raise self.broken(f"the text before {self.at} is not UTF-8") from error


def _counts(cursor: _Cursor) -> tuple[int, int]:
    if cursor.take(4) != MAGIC:
        raise cursor.broken("it does not begin with GGUF")
    version = cursor.integer("<I")
    if version not in VERSIONS:
        raise cursor.broken(f"version is {version}, expected {' or '.join(map(str, VERSIONS))}")
    tensors, keys = cursor.integer("<Q"), cursor.integer("<Q")
    for name, count, most in (("tensors", tensors, MAX_TENSORS), ("keys", keys, MAX_KEYS)):
        if count > most:
            raise cursor.broken(f"{count} {name}, at most {most} are read")
    return tensors, keys


def _value(cursor: _Cursor, kind: int, key: str) -> Any:
    if kind == STRING:
        return cursor.string()
    if kind == ARRAY:
        return _array(cursor, cursor.integer("<I"), cursor.integer("<Q"), key)
    return _scalars(cursor, kind, 1, key)[0]


def _array(cursor: _Cursor, kind: int, count: int, key: str) -> list[Any]:
    cursor.items += count
    if cursor.items > MAX_ITEMS:
        raise cursor.broken(f"{key} has {count} items, all lists together at most {MAX_ITEMS} are read")
    if kind == STRING:
        return [cursor.string() for _ in range(count)]
    return _scalars(cursor, kind, count, key)


def _scalars(cursor: _Cursor, kind: int, count: int, key: str) -> list[Any]:
    if kind not in SCALARS:
        raise cursor.broken(f"{key} has the unknown type {kind}")
    layout = np.dtype(SCALARS[kind])
    raw = cursor.take(count * layout.itemsize)
    if kind == 7:
        return [byte != 0 for byte in raw]
    values: list[Any] = np.frombuffer(raw, layout).tolist()
    return values


def _tensor(cursor: _Cursor) -> StoredTensor:
    name = cursor.string()
    dimensions = cursor.integer("<I")
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise cursor.broken(f"tensor {name} has {dimensions} dimensions")
    shape = tuple(cursor.integer("<Q") for _ in range(dimensions))
    return StoredTensor(name, shape[::-1], cursor.integer("<I"), cursor.integer("<Q"))
