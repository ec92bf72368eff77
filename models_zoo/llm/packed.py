"""The CPU's packed form of a base: made once per processor and torch build, cached beside the base,
mapped."""

from __future__ import annotations

import hashlib
import logging
import os
import uuid
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models_zoo.llm.card import BaseCard
from models_zoo.llm.format import BaseFile
from models_zoo.llm.linear import BlockMatrix, Head, to_blocks, to_int4pack
from models_zoo.llm.quant import Q4Matrix, per_row_int8, stack_rows

logger = logging.getLogger(__name__)

FUSED = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "output": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
ALIGNMENT = 64  # bytes
SELF_TEST_ERROR = 0.02  # relative; bfloat16 in and out gives about 0.004


def fused(file: BaseFile, layer: int, name: str) -> Q4Matrix:
    """The rows of all projections that share one product."""
    return stack_rows([file.q4(f"layers.{layer}.{part}") for part in FUSED[name]])


def packed_linears(
    folder: Path, card: BaseCard, file: BaseFile
) -> tuple[Callable[[int, str], BlockMatrix], Head]:
    """The linears by (layer, fused name), and the head, as the CPU computes with them.

    Comes from the cache when it is there and passes the self-test; else packed now, and cached when the
    folder can be written. Without a working int4 or int8 kernel the matrices dequantize for every product.
    """
    path = folder / "packed" / f"{_cache_key(card)}.safetensors"
    tensors = _cached(path)
    if tensors is None or not _self_test(tensors, card, file):
        tensors = _pack(card, file)
        if _self_test(tensors, card, file):
            _save(tensors, path)
        else:
            logger.warning("this torch build has no working int4 kernel: dequantizing for every product")
            tensors = {name: value for name, value in tensors.items() if name.endswith(".blocks")}
    return _reader(tensors), _head(tensors, file)


def _cache_key(card: BaseCard) -> str:
    capability = torch.backends.cpu.get_cpu_capability()
    parts = (card.fingerprint, torch.__version__, capability, _processor(), "layout 3")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("model name", "CPU part"))), "")


def _cached(path: Path) -> dict[str, Tensor] | None:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: _aligned(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None


def _pack(card: BaseCard, file: BaseFile) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for layer in range(card.config.layers):
        for name in FUSED:
            matrix, prefix = fused(file, layer, name), f"{layer}.{name}"
            tensors[f"{prefix}.blocks"] = to_blocks(matrix)
            try:
                tensors[f"{prefix}.int4"], tensors[f"{prefix}.affine"] = to_int4pack(matrix)
            except (RuntimeError, AttributeError):  # no kernel, or not for this shape: the self-test notices
                continue
    codes, scale = per_row_int8(file.q8(head_name(file)).dequantize())
    tensors["head.codes"], tensors["head.scale"] = codes, scale.bfloat16()
    return tensors


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    partial = path.with_suffix(f".{uuid.uuid4().hex[:8]}.partial")
    try:
        path.parent.mkdir(exist_ok=True)
        save_file(tensors, partial, metadata={"padding": ""})
        missing = -_data_start(partial) % ALIGNMENT
        save_file(tensors, partial, metadata={"padding": " " * missing})
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        logger.warning("packed weights are not cached: %s", error)
        partial.unlink(missing_ok=True)


def _data_start(path: Path) -> int:
    """Where a safetensors file's header ends."""
    with path.open("rb") as stream:
        return 8 + int.from_bytes(stream.read(8), "little")


def _aligned(tensor: Tensor) -> Tensor:
    """The tensor where the kernels can read it: torch's int8 product crashes on data that is not aligned.

    What `_save` wrote is aligned as it is mapped, and nothing is copied.
    """
    return tensor if tensor.data_ptr() % ALIGNMENT == 0 else tensor.clone()


def _self_test(tensors: dict[str, Tensor], card: BaseCard, file: BaseFile) -> bool:
    """Whether blocks equal the base exactly, and int4 and int8 products are as near as bfloat16 gets."""
    try:
        layers = {0, card.config.layers // 2, card.config.layers - 1}
        return all(_linear_agrees(tensors, file, layer, name) for layer in layers for name in FUSED) and (
            _head_agrees(tensors, file)
        )
    except (KeyError, RuntimeError, AttributeError):
        return False


def _linear_agrees(tensors: dict[str, Tensor], file: BaseFile, layer: int, name: str) -> bool:
    expected, matrix = fused(file, layer, name).dequantize(), _matrix(tensors, layer, name)
    x = torch.randn(3, matrix.columns, generator=torch.Generator().manual_seed(layer))
    if matrix.packed is None or not torch.equal(matrix.dense(), expected):
        return False
    return _near(matrix(x), x @ expected.t())


def _head_agrees(tensors: dict[str, Tensor], file: BaseFile) -> bool:
    x = torch.randn(2, tensors["head.codes"].shape[1], generator=torch.Generator().manual_seed(0))
    rows = torch.arange(0, tensors["head.codes"].shape[0], 61)
    product = torch._weight_int8pack_mm(x.bfloat16(), tensors["head.codes"], tensors["head.scale"])
    return _near(product.float()[:, rows], x @ file.q8(head_name(file)).rows_at(rows).t())


def _near(value: Tensor, expected: Tensor) -> bool:
    return bool((value - expected).norm() <= SELF_TEST_ERROR * expected.norm())


def _reader(tensors: dict[str, Tensor]) -> Callable[[int, str], BlockMatrix]:
    return lambda layer, name: _matrix(tensors, layer, name)


def _matrix(tensors: dict[str, Tensor], layer: int, name: str) -> BlockMatrix:
    prefix = f"{layer}.{name}"
    affine = tensors.get(f"{prefix}.affine")
    packed = None if affine is None else (tensors[f"{prefix}.int4"], affine)
    return BlockMatrix(tensors[f"{prefix}.blocks"], packed)


def _head(tensors: dict[str, Tensor], file: BaseFile) -> Head:
    return Head(file.q8(head_name(file)), tensors.get("head.codes"), tensors.get("head.scale"))


def head_name(file: BaseFile) -> str:
    """`lm_head` when the base has its own, else the embedding it is tied to."""
    return "lm_head" if "lm_head.codes" in file else "embed_tokens"
