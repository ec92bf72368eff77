"""The header of a safetensors file, read within bounds before anything else opens the file.

The format is safetensors': eight bytes of header length, a JSON header of names with type, shape and offsets, then the
data (https://github.com/huggingface/safetensors#format). What the library allows (a header of 100 MB, any number of
tensors) would let a small upload take much memory.
"""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_zoo.llm.card import AdapterError, shown

MAX_HEADER = 2_000_000  # bytes
MAX_TENSORS = 8192
MAX_DIMENSIONS = 4
LARGEST_EXTENT = 1 << 32
ITEM_BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}


@dataclass(slots=True, frozen=True)
class TensorEntry:
    """Where one tensor lies in the file's data, in bytes, and what it is."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def read_header(path: Path) -> dict[str, TensorEntry]:
    """The tensors of a safetensors file by name, in the order of their data, which they fill without gap or overlap.

    Raises `AdapterError` naming the file, the tensor, and what was expected.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = _header_length(path, file.read(8), size)
            text = file.read(length)
    except FileNotFoundError as error:
        raise AdapterError(f"{path}: file is missing") from error
    except OSError as error:
        raise AdapterError(f"{path}: cannot be read: {error.strerror}") from error
    values = _parsed(path, text)
    _check_metadata(path, values.pop("__metadata__", {}))
    if len(values) > MAX_TENSORS:
        raise AdapterError(f"{path}: {len(values)} tensors, expected at most {MAX_TENSORS}")
    entries = {name: _entry(path, name, value) for name, value in values.items()}
    return _in_order(path, entries, size - 8 - length)


def _header_length(path: Path, prefix: bytes, size: int) -> int:
    if len(prefix) < 8:
        raise AdapterError(f"{path}: {size} bytes, too few for a safetensors file")
    length: int = struct.unpack("<Q", prefix)[0]
    if length > MAX_HEADER:
        raise AdapterError(
            f"{path}: not a safetensors file, or its header is {length} bytes, expected at most {MAX_HEADER}"
        )
    if length > size - 8:
        raise AdapterError(f"{path}: cut short: the header is {length} bytes and {size - 8} are there")
    return length


def _parsed(path: Path, text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
            raise AdapterError(f"{path}: {shown(twice)} is named twice in the header")
        return found

    if text[:1] != b"{":
        raise AdapterError(
            f"{path}: not a safetensors file: its header begins with {shown(text[:1])}, expected b'{{'"
        )
    try:
        values: dict[str, Any] = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError):
        raise AdapterError(f"{path}: not a safetensors file: its header is not valid JSON") from None
    return values


def _check_metadata(path: Path, told: Any) -> None:
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise AdapterError(f"{path}: __metadata__ is {shown(told)}, expected an object of texts")


def _entry(path: Path, name: str, value: Any) -> TensorEntry:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise AdapterError(f"{path}: tensor {shown(name)}: expected dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise AdapterError(
            f"{path}: tensor {shown(name)}: dtype is {shown(dtype)}, expected one of {', '.join(ITEM_BYTES)}"
        )
    if not _counts(shape) or len(shape) > MAX_DIMENSIONS:
        raise AdapterError(
            f"{path}: tensor {shown(name)}: shape is {shown(shape)}, expected at most {MAX_DIMENSIONS} whole numbers"
        )
    if not _counts(offsets) or len(offsets) != 2:
        raise AdapterError(
            f"{path}: tensor {shown(name)}: data_offsets is {shown(offsets)}, expected a start and an end"
        )
    entry = TensorEntry(dtype, tuple(shape), *offsets)
    expected = ITEM_BYTES[dtype] * math.prod(shape)
    if entry.stop - entry.start != expected:
        raise AdapterError(
            f"{path}: tensor {shown(name)}: {entry.stop - entry.start} bytes, "
            f"expected {expected} for {list(shape)} of {dtype}"
        )
    return entry


def _counts(values: Any) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < LARGEST_EXTENT for value in values
    )


def _in_order(path: Path, entries: dict[str, TensorEntry], size: int) -> dict[str, TensorEntry]:
    ordered = dict(sorted(entries.items(), key=lambda item: (item[1].start, item[1].stop)))
    end = 0
    for name, entry in ordered.items():
        if entry.start != end:
            wrong = "overlaps the one before it" if entry.start < end else "leaves a gap before it"
            raise AdapterError(
                f"{path}: tensor {shown(name)} {wrong}: starts at {entry.start}, expected {end}"
            )
        end = entry.stop
    if end != size:
        wrong = "cut short" if end > size else "longer than its tensors"
        raise AdapterError(f"{path}: {wrong}: {size} bytes of data, expected {end}")
    return ordered
