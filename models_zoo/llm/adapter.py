"""Load an adapter folder. Nothing in it is trusted: see `adapter_files` for what its files must say.

Every refusal is an `AdapterError` that names the file, the field or tensor, and what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from models_zoo.llm.adapter_files import LARGEST, AdapterPlan, adapter_plan, module_name, require
from models_zoo.llm.card import ADAPTER_FILE, HEAD_FILE, AdapterCard, AdapterError, BaseCard
from models_zoo.llm.heads import Head, build_head
from models_zoo.llm.lora import LoraWeights


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
    tensors, config = _tensors(path, plan.lora), plan.config
    matrices, effect = {}, False
    for layer in config.layers:
        for target in config.targets:
            name = plan.prefix + module_name(layer, target)
            shrink, expand = tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"] * config.scale
            sizes = largest(shrink), largest(expand)
            for part, size in zip(
                ("lora_A.weight", "lora_B.weight times lora_alpha / r"), sizes, strict=True
            ):
                small = size <= LARGEST
                require(path, f"{name}.{part}", "too large", small, f"at most {LARGEST:g} everywhere")
            effect |= min(sizes) > 0
            matrices[layer, target] = (shrink, expand)
    if not effect:
        raise AdapterError(f"{path}: every product of lora_B and lora_A is zero, expected an effect")
    return LoraWeights(config.rank, matrices)


def _head(path: Path, plan: AdapterPlan, base: BaseCard) -> Head | None:
    head = build_head(plan.card, base.config.hidden_size)
    if head is None:
        return None
    head.load_state_dict(_tensors(path, plan.head))
    return head.requires_grad_(False).eval()


def _tensors(path: Path, names: Iterable[str]) -> dict[str, Tensor]:
    """The tensors as float32, which must be finite."""
    with _open(path) as file:
        stored = {name: file.get_tensor(name) for name in names}
    for name, tensor in stored.items():
        finite = math.isfinite(largest(tensor))
        require(path, name, "not finite everywhere", finite, "no NaN or infinity")
    return {name: tensor.float() for name, tensor in stored.items()}


def largest(tensor: Tensor) -> float:
    """The largest absolute value, NaN if one is; in one pass, without a copy of the tensor."""
    low, high = torch.aminmax(tensor)
    return float(torch.maximum(-low, high))


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError as error:
        raise AdapterError(f"{path}: file is missing") from error
    except (OSError, SafetensorError) as error:
        raise AdapterError(f"{path}: not a readable safetensors file: {error}") from error
