"""Load an adapter folder. Nothing in it is trusted: see `adapter_files` for what its files must say.

Every refusal is an `AdapterError` that names the file, the field or tensor, and what was expected.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models_zoo.llm.adapter_files import LARGEST, AdapterPlan, adapter_plan, module_name, require
from models_zoo.llm.card import ADAPTER_FILE, HEAD_FILE, AdapterCard, AdapterError, BaseCard
from models_zoo.llm.heads import Head, build_head
from models_zoo.llm.lora import LoraWeights
from models_zoo.llm.tensor_header import ITEM_BYTES, TensorEntry

TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(slots=True, frozen=True)
class LoadedAdapter:
    """A verified adapter, on the host."""

    card: AdapterCard
    weights: LoraWeights
    head: Head | None

    @property
    def bytes(self) -> int:
        head = () if self.head is None else self.head.parameters()
        return self.weights.bytes + sum(parameter.nbytes for parameter in head)


def load_adapter(folder: Path, base: BaseCard) -> LoadedAdapter:
    """The adapter in `folder`, verified against `base`. A folder without a card is a chat adapter.

    Raises `AdapterError` for anything that is not exactly an adapter of this base.
    """
    plan = adapter_plan(folder, base)
    weights = _lora_weights(folder / ADAPTER_FILE, plan)
    return LoadedAdapter(plan.card, weights, _head(folder / HEAD_FILE, plan, base))


def _lora_weights(path: Path, plan: AdapterPlan) -> LoraWeights:
    config = plan.config
    tensors, most = _read(path, plan.lora)
    bounded = most * max(1.0, config.scale) <= LARGEST
    matrices = {}
    for layer in config.layers:
        for target in config.targets:
            name = plan.prefix + module_name(layer, target)
            shrink, expand = tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"] * config.scale
            if not bounded:
                _refuse_too_large(path, name, shrink, expand)
            matrices[layer, target] = (shrink, expand)
    if not any(bool(a.any()) and bool(b.any()) for a, b in matrices.values()):
        raise AdapterError(f"{path}: every product of lora_B and lora_A is zero, expected an effect")
    return LoraWeights(config.rank, matrices)


def _refuse_too_large(path: Path, name: str, shrink: Tensor, expand: Tensor) -> None:
    for part, factor in (("lora_A.weight", shrink), ("lora_B.weight times lora_alpha / r", expand)):
        small = _largest(factor) <= LARGEST
        require(path, f"{name}.{part}", "too large", small, f"at most {LARGEST:g} everywhere")


def _head(path: Path, plan: AdapterPlan, base: BaseCard) -> Head | None:
    head = build_head(plan.card, base.config.hidden_size)
    if head is None:
        return None
    head.load_state_dict(_read(path, plan.head)[0])
    return head.requires_grad_(False).eval()


def _read(path: Path, header: Mapping[str, TensorEntry]) -> tuple[dict[str, Tensor], float]:
    """The file's tensors as float32, which must be finite, and the largest absolute value in them."""
    data = _data(path, max(entry.stop for entry in header.values()))
    flat, most = _as_a_whole(data, header)
    if not flat:
        flat = {name: _values(data, entry) for name, entry in header.items()}
        sizes = {name: _largest(tensor) for name, tensor in flat.items()}
        for name, size in sizes.items():
            require(path, name, "not finite everywhere", math.isfinite(size), "no NaN or infinity")
        most = max(sizes.values())
    return {name: flat[name].view(entry.shape) for name, entry in header.items()}, most


def _as_a_whole(data: Tensor, header: Mapping[str, TensorEntry]) -> tuple[dict[str, Tensor], float]:
    """Of tensors of one type, as they are usually written, all values in a few calls: one for each of hundreds would
    hold up the engine's thread beside this one. Nothing when they are of several types, or one is not finite."""
    kind, *others = {entry.dtype for entry in header.values()}
    stored = data.view(TYPES[kind]) if not others else data
    most = math.nan if others else _largest(stored)
    if not math.isfinite(most):
        return {}, most
    values, item = stored.float(), ITEM_BYTES[kind]
    return {name: values[entry.start // item : entry.stop // item] for name, entry in header.items()}, most


def _data(path: Path, size: int) -> Tensor:
    """The last `size` bytes of the file: all but its header."""
    data = torch.empty(size, dtype=torch.uint8)
    try:
        with path.open("rb") as file:
            file.seek(-size, os.SEEK_END)
            read = file.readinto(data.numpy().data)
    except OSError as error:
        raise AdapterError(f"{path}: cannot be read: {error.strerror}") from error
    if read != size:
        raise AdapterError(f"{path}: cut short: {read} bytes of data, expected {size}")
    return data


def _values(data: Tensor, entry: TensorEntry) -> Tensor:
    """One tensor's, wherever it begins."""
    return data[entry.start : entry.stop].clone().view(TYPES[entry.dtype]).float()


def _largest(tensor: Tensor) -> float:
    """The largest absolute value, NaN if one is; in one pass, without a copy of the tensor."""
    low, high = torch.aminmax(tensor)
    return float(torch.maximum(-low, high))
