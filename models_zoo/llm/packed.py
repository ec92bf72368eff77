"""The CPU's packed form of a base: made once per processor and torch build, cached beside the base,
mapped."""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import os
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models_zoo.llm.cache_folder import own_folder, shared_folder, used
from models_zoo.llm.card import BaseCard, BaseConfig
from models_zoo.llm.format import BaseFile
from models_zoo.llm.forms import FUSED, fused, head_name, is_int4, linears_of_any_form
from models_zoo.llm.linear import BlockMatrix, Head, Matrix, to_blocks, to_int4pack
from models_zoo.llm.native import processor_features
from models_zoo.llm.panels import PanelMatrix, Upper, split_bits, to_panels
from models_zoo.llm.quant import MixedMatrix, QuantizedMatrix, per_row_int8, stack_q4

logger = logging.getLogger(__name__)

ALIGNMENT = 64  # bytes
SELF_TEST_ERROR = 0.02  # relative; bfloat16 in and out gives about 0.004

Tensors = dict[str, Tensor]
Places = Sequence[Callable[[], Path]]  # folders to look into, and to make, in this order


class Packing(Protocol):
    """A layout of the linears, and what computes with it."""

    layout: str

    def pack(self, card: BaseCard, file: BaseFile) -> Tensors: ...

    def matrix(self, tensors: Tensors, layer: int, name: str) -> Matrix: ...

    def head(self, tensors: Tensors, file: BaseFile) -> Matrix: ...


def packed_linears(
    folder: Path, card: BaseCard, file: BaseFile, kernels: ctypes.CDLL | None
) -> tuple[Callable[[int, str], Matrix], Matrix]:
    """The linears by (layer, fused name), and the head, as the CPU computes with them.

    With our own `kernels` they are panels, else what torch's take. They come from the cache when a whole one
    is there; else they are packed now, tested, and cached: beside the base or, when that folder cannot be
    written, in one of this user's. Torch's products have a packed layout for int4 alone: other forms are made
    ready for them anew each time.
    """
    if kernels is None and not is_int4(card, file):
        return linears_of_any_form(file)
    packing: Packing = TorchPacking() if kernels is None else PanelPacking(kernels, card.config)
    places: Places = (lambda: shared_folder(folder / "packed"), own_folder)
    name = f"{_cache_key(card, packing.layout)}.safetensors"
    tensors = _found(places, name)
    if tensors is None:
        tensors = packing.pack(card, file)
        if not _self_test(packing, tensors, card, file):
            if kernels is not None:
                logger.warning("our own kernels compute wrongly here: torch's serve instead")
                return packed_linears(folder, card, file, None)
            logger.warning("this torch build has no working int4 kernel: dequantizing for every product")
            tensors = {name: value for name, value in tensors.items() if name.endswith(".blocks")}
        elif _save(tensors, places, name, file.path.stat().st_mode & 0o666):
            tensors = _found(places, name) or tensors  # shared with other processes from the start
    held = tensors
    return lambda layer, name: packing.matrix(held, layer, name), packing.head(held, file)


class PanelPacking:
    """Every weight once, for our own kernels."""

    layout = "panels 2"

    def __init__(self, kernels: ctypes.CDLL, config: BaseConfig) -> None:
        self._kernels = kernels
        hidden, inner, heads = config.hidden_size, config.intermediate_size, config.heads * config.head_size
        self._shapes = {
            "qkv": (heads + 2 * config.kv_heads * config.head_size, hidden),
            "output": (hidden, heads),
            "gate_up": (2 * inner, hidden),
            "down": (hidden, inner),
            "head": (config.vocabulary, hidden),
        }

    def pack(self, card: BaseCard, file: BaseFile) -> Tensors:
        keys = [(layer, name) for layer in range(card.config.layers) for name in FUSED]
        panels = {"head": to_panels(file.q8(head_name(file)))}
        for layer, name in keys:
            panels |= _in_panels(f"{layer}.{name}", fused(file, layer, name))
        return panels

    def matrix(self, tensors: Tensors, layer: int, name: str) -> Matrix:
        key = f"{layer}.{name}"
        place = tensors.get(f"{key}.place")
        upper = None if place is None else Upper(tensors[f"{key}.upper"], place)
        return PanelMatrix(self._kernels, tensors[key], *self._shapes[name], upper)

    def head(self, tensors: Tensors, file: BaseFile) -> Matrix:
        return PanelMatrix(self._kernels, tensors["head"], *self._shapes["head"])


class TorchPacking:
    """For torch's int4 and int8 products, and blocks to dequantize for many rows."""

    layout = "torch 4"

    def pack(self, card: BaseCard, file: BaseFile) -> Tensors:
        tensors: Tensors = {}
        for layer in range(card.config.layers):
            for name in FUSED:
                prefix = f"{layer}.{name}"
                matrix = stack_q4([file.q4(f"layers.{layer}.{part}") for part in FUSED[name]])
                tensors[f"{prefix}.blocks"] = to_blocks(matrix)
                try:
                    tensors[f"{prefix}.int4"], tensors[f"{prefix}.affine"] = to_int4pack(matrix)
                except (RuntimeError, AttributeError):  # no kernel, or not for this shape: the test notices
                    continue
        codes, scale = per_row_int8(file.q8(head_name(file)).dequantize())
        tensors["head.codes"], tensors["head.scale"] = codes, scale.bfloat16()
        return tensors

    def matrix(self, tensors: Tensors, layer: int, name: str) -> Matrix:
        prefix = f"{layer}.{name}"
        affine = tensors.get(f"{prefix}.affine")
        packed = None if affine is None else (tensors[f"{prefix}.int4"], affine)
        return BlockMatrix(tensors[f"{prefix}.blocks"], packed)

    def head(self, tensors: Tensors, file: BaseFile) -> Matrix:
        return Head(file.q8(head_name(file)), tensors.get("head.codes"), tensors.get("head.scale"))


def _in_panels(key: str, matrix: QuantizedMatrix) -> Tensors:
    """One whose rows are all of one form stays in it."""
    if not isinstance(matrix, MixedMatrix):
        return {key: to_panels(matrix)}
    if not matrix.low.rows or not matrix.high.rows:
        return {key: to_panels(matrix.low if matrix.low.rows else matrix.high)}
    panels, upper = split_bits(matrix)
    return {key: panels, f"{key}.upper": upper.panels, f"{key}.place": upper.place}


def _cache_key(card: BaseCard, layout: str) -> str:
    capability = torch.backends.cpu.get_cpu_capability()
    config = json.dumps(asdict(card.config))
    parts = (card.fingerprint, config, torch.__version__, capability, processor_features(), layout)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _found(places: Places, name: str) -> Tensors | None:
    """What the first place that has it whole has."""
    for place in places:
        with suppress(OSError):
            path = place() / name
            tensors = _mapped(path)
            if tensors is not None:
                used(path)
                return tensors
    return None


def _mapped(path: Path) -> Tensors | None:
    """The cached tensors, mapped; None when there are none or a byte of them is not as it was written."""
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("sha256") != _data_sha256(path):
                return None
            return {name: _aligned(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None


def _save(tensors: Tensors, places: Places, name: str, mode: int) -> bool:
    """Whether it could be written somewhere; `mode` says who may map it."""
    reasons = []
    for place in places:
        try:
            _write(tensors, place() / name, mode)
            return True
        except (OSError, SafetensorError) as error:
            reasons.append(str(error))
    logger.warning("packed weights are not cached: %s", "; ".join(reasons))
    return False


def _write(tensors: Tensors, path: Path, mode: int) -> None:
    """Under another name first. Raises `OSError` and `SafetensorError`."""
    partial = path.with_suffix(f".{uuid.uuid4().hex[:8]}.partial")
    try:
        metadata = {"sha256": "0" * 64, "padding": ""}
        save_file(tensors, partial, metadata=metadata)
        missing = -_data_start(partial) % ALIGNMENT
        metadata = {"sha256": _data_sha256(partial), "padding": " " * missing}
        save_file(tensors, partial, metadata=metadata)
        partial.chmod(mode | 0o600)
        os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _data_start(path: Path) -> int:
    """Where a safetensors file's header ends."""
    with path.open("rb") as stream:
        return 8 + int.from_bytes(stream.read(8), "little")


def _data_sha256(path: Path) -> str:
    """Of all that comes after the header."""
    with path.open("rb") as stream:
        stream.seek(_data_start(path))
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _aligned(tensor: Tensor) -> Tensor:
    """The tensor where the kernels can read it: torch's int8 product crashes on data that is not aligned.

    What `_save` wrote is aligned as it is mapped, and nothing is copied.
    """
    return tensor if tensor.data_ptr() % ALIGNMENT == 0 else tensor.clone()


def _self_test(packing: Packing, tensors: Tensors, card: BaseCard, file: BaseFile) -> bool:
    """Whether the weights equal the base's exactly, and products are as near as bfloat16 gets."""
    try:
        layers = {0, card.config.layers // 2, card.config.layers - 1}
        return all(
            _linear_agrees(packing.matrix(tensors, layer, name), fused(file, layer, name).dequantize())
            for layer in layers
            for name in FUSED
        ) and _head_agrees(packing.head(tensors, file), file)
    except (KeyError, RuntimeError, AttributeError):
        return False


def _linear_agrees(matrix: Matrix, expected: Tensor) -> bool:
    x = torch.randn(3, matrix.columns, generator=torch.Generator().manual_seed(0))
    if isinstance(matrix, BlockMatrix) and matrix.packed is None:
        return False
    return torch.equal(matrix.dense(), expected) and _near(matrix(x), x @ expected.t())


def _head_agrees(head: Matrix, file: BaseFile) -> bool:
    x = torch.randn(2, head.columns, generator=torch.Generator().manual_seed(0))
    rows = torch.arange(0, head.rows, 61)
    return _near(head(x)[:, rows], x @ file.q8(head_name(file)).rows_at(rows).t())


def _near(value: Tensor, expected: Tensor) -> bool:
    return bool((value - expected).norm() <= SELF_TEST_ERROR * expected.norm())
