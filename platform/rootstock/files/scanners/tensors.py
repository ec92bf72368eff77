"""safetensors: the header is capped before it is read, and has to describe exactly the bytes that follow."""

import json
import math
from typing import Any, BinaryIO

from rootstock.files.scanners.common import Refusal, size_of
from rootstock.files.scanners.texts import is_deeper

MAX_HEADER = 8 * 1024 * 1024
MAX_TENSORS = 20_000
MAX_RANK = 8
_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip


def check_safetensors(stream: BinaryIO) -> str:
    """The header's size, number of tensors, types, shapes and offsets."""
    size = size_of(stream)
    length = int.from_bytes(stream.read(8), "little")
    if size < 10 or length > min(MAX_HEADER, size - 8):
        raise Refusal("the safetensors header is longer than is taken, or than the file")
    header = _header(stream.read(length))
    header.pop("__metadata__", None)
    if not 0 < len(header) <= MAX_TENSORS:
        raise Refusal(f"must hold 1 to {MAX_TENSORS:,} tensors")
    end = 0
    for name, (first, last, wanted) in sorted(
        ((name, _span(name, one)) for name, one in header.items()), key=lambda item: item[1]
    ):
        if first != end or last - first != wanted:
            raise Refusal(f"the bytes of tensor {name[:60]!r} do not fit its shape, or leave a gap")
        end = last
    if end != size - 8 - length:
        raise Refusal("the file is longer or shorter than its tensors")
    return f"{len(header):,} tensors"


def _header(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw, object_pairs_hook=_once) if not is_deeper(raw, 4) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal("the safetensors header is not a JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name appears twice")
    return dict(pairs)


def _span(name: str, entry: Any) -> tuple[int, int, int]:
    """First and last offset, and the bytes that type and shape ask for."""
    try:
        dtype, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
        whole = [*shape, first, last]
        if len(shape) > MAX_RANK or any(type(one) is not int or not 0 <= one < 1 << 48 for one in whole):
            raise ValueError
        return first, last, math.prod(shape) * _BYTES[dtype]
    except (KeyError, TypeError, ValueError):
        raise Refusal(f"tensor {name[:60]!r} is not described as safetensors does") from None
