"""Write a safetensors file one tensor at a time, byte for byte as the safetensors library would at once.

Its format begins with a header that knows every tensor and orders the data by type: so tensors are first
spooled beside the target as they come, then laid down in order. Memory stays at one tensor.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

# what the library calls the types that a base holds; it lays down the widest first
NAMES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
ORDER = list(NAMES)
COPY_BYTES = 1 << 22


@dataclass(slots=True, frozen=True)
class _Spooled:
    name: str
    dtype: torch.dtype
    shape: list[int]
    start: int
    bytes: int


class TensorSpool:
    """A context manager: `add` tensors of float32, float16, int8, uint8 or bool, then `finish`."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target.with_name(f"{target.name}.spool")
        self._entries: list[_Spooled] = []
        self._stream: IO[bytes] = self._path.open("w+b")

    def __enter__(self) -> TensorSpool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._path.unlink(missing_ok=True)

    def add(self, name: str, tensor: Tensor) -> None:
        """Append one tensor."""
        start = self._stream.tell()
        self._stream.write(tensor.contiguous().numpy().data.cast("B") if tensor.numel() else b"")
        entry = _Spooled(name, tensor.dtype, list(tensor.shape), start, tensor.nbytes)
        self._entries.append(entry)

    def finish(self) -> None:
        """Write the target and flush it to disk."""
        ordered = sorted(self._entries, key=lambda entry: (ORDER.index(entry.dtype), entry.name))
        with self._target.open("wb") as target:
            target.write(_header(ordered))
            for entry in ordered:
                self._copy(entry, target)
            target.flush()
            os.fsync(target.fileno())

    def _copy(self, entry: _Spooled, target: IO[bytes]) -> None:
        self._stream.seek(entry.start)
        left = entry.bytes
        while left:
            left -= target.write(self._stream.read(min(left, COPY_BYTES)))


def _header(entries: list[_Spooled]) -> bytes:
    """Eight bytes of length, then JSON padded with spaces to a multiple of eight."""
    header: dict[str, object] = {}
    end = 0
    for entry in entries:
        start, end = end, end + entry.bytes
        header[entry.name] = {
            "dtype": NAMES[entry.dtype],
            "shape": entry.shape,
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
