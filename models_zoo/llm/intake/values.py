"""The values of an adapter's tensors, read a piece at a time: finite, of a size that is served, not all zero."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from models_zoo.llm.adapter_files import LARGEST, AdapterPlan, module_name, require
from models_zoo.llm.card import ADAPTER_FILE, HEAD_FILE, AdapterError
from models_zoo.llm.tensor_header import ITEM_BYTES, TensorEntry

PIECE = 1 << 20  # values at once: 4 MB as float32


def check_values(folder: Path, plan: AdapterPlan) -> str:
    """Look at every value of the adapter in `folder`; returns what was found, in a few words.

    Raises `AdapterError` naming the tensor that is not finite or too large, or when every product is zero.
    """
    path = folder / ADAPTER_FILE
    largest = {name: _largest_of(path, name, entry) for name, entry in plan.lora.items()}
    _check_sizes(path, plan, largest)
    if not any(largest[a] and largest[b] for a, b in _pairs(plan)):
        raise AdapterError(f"{path}: every product of lora_B and lora_A is zero, expected an effect")
    for name, entry in plan.head.items():
        _check_size(folder / HEAD_FILE, name, _largest_of(folder / HEAD_FILE, name, entry))
    values = sum(math.prod(entry.shape) for entry in (*plan.lora.values(), *plan.head.values()))
    return f"{values:,} values, all finite"


def _check_sizes(path: Path, plan: AdapterPlan, largest: Mapping[str, float]) -> None:
    for pair in _pairs(plan):
        for name, scale in zip(pair, (1.0, plan.config.scale), strict=True):
            times = " times lora_alpha / r" if scale != 1.0 else ""
            _check_size(path, f"{name}{times}", largest[name] * scale)


def _check_size(path: Path, name: str, largest: float) -> None:
    require(path, name, "too large", largest <= LARGEST, f"at most {LARGEST:g} everywhere")


def _pairs(plan: AdapterPlan) -> Iterator[tuple[str, str]]:
    for layer in plan.config.layers:
        for target in plan.config.targets:
            name = plan.prefix + module_name(layer, target)
            yield f"{name}.lora_A.weight", f"{name}.lora_B.weight"


def _largest_of(path: Path, name: str, entry: TensorEntry) -> float:
    with path.open("rb") as file:
        largest = max((_largest(piece) for piece in _pieces(file, path, entry)), default=0.0)
    require(path, name, "not finite everywhere", math.isfinite(largest), "no NaN or infinity")
    return largest


def _largest(values: NDArray[np.float32]) -> float:
    """The largest absolute value; infinity where one is NaN, which no comparison would find."""
    largest = float(np.abs(values).max(initial=0.0))
    return math.inf if math.isnan(largest) else largest


def _pieces(file: BinaryIO, path: Path, entry: TensorEntry) -> Iterator[NDArray[np.float32]]:
    header = int.from_bytes(file.read(8), "little")
    file.seek(8 + header + entry.start)
    left = entry.stop - entry.start
    while left:
        raw = file.read(min(left, PIECE * ITEM_BYTES[entry.dtype]))
        if not raw:
            raise AdapterError(f"{path}: cut short while it was read")
        left -= len(raw)
        yield _float32(raw, entry.dtype)


def _float32(raw: bytes, dtype: str) -> NDArray[np.float32]:
    if dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
    return np.frombuffer(raw, {"F16": "<f2", "F32": "<f4"}[dtype]).astype(np.float32)
