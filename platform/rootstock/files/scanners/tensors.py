"""safetensors: the header is capped before it is read, and has to describe exactly the bytes that follow."""

import json
import math
from typing import Any, BinaryIO

from rootstock.files.scanners.common import Refusal, size_of
from rootstock.files.scanners.texts import is_deeper

MAX_HEADER = 8 * 1024 * 1024
MAX_TENSORS = 20_000
MAX_RANK = 8
_SHOWN = 120  # of a name
_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip


def check_safetensors(stream: BinaryIO) -> str:
    """The header's size, number of tensors, types, shapes and offsets."""
    size = size_of(stream)
    length = int.from_bytes(stream.read(8), "little")
    if size < 10 or length > min(MAX_HEADER, size - 8):
        most = min(MAX_HEADER, max(size - 8, 0))
        raise Refusal(f"the safetensors header is {length:,} bytes, expected at most {most:,}")
    header = _header(stream.read(length))
    header.pop("__metadata__", None)
    if not 0 < len(header) <= MAX_TENSORS:
        raise Refusal(f"holds {len(header):,} tensors, expected 1 to {MAX_TENSORS:,}")
    end = 0
    for name, (first, last, wanted) in sorted(
        ((name, _span(name, one)) for name, one in header.items()), key=lambda item: item[1]
    ):
        if last - first != wanted:
            reason = f"has {last - first:,} bytes that do not fit its shape, expected {wanted:,}"
            raise Refusal(f"tensor {name[:_SHOWN]!r} {reason}")
        if first != end:
            overlaps = "overlaps the one before it" if first < end else "leaves a gap before it"
            raise Refusal(f"tensor {name[:_SHOWN]!r} {overlaps}: starts at {first:,}, expected {end:,}")
        end = last
    if end != (there := size - 8 - length):
        raise Refusal(f"has {there:,} bytes of tensors, longer or shorter than the expected {end:,}")
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
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Refusal(f"the safetensors header names {name[:_SHOWN]!r} twice")
        found[name] = value
    return found


def _span(name: str, entry: Any) -> tuple[int, int, int]:
    """First and last offset, and the bytes that type and shape ask for."""
    try:
        dtype, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
        whole = [*shape, first, last]
        if len(shape) > MAX_RANK or any(type(one) is not int or not 0 <= one < 1 << 48 for one in whole):
            raise ValueError
        return first, last, math.prod(shape) * _BYTES[dtype]
    except (KeyError, TypeError, ValueError):
        raise Refusal(f"tensor {name[:_SHOWN]!r} is not described as safetensors does") from None
