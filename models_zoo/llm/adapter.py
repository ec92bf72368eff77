"""Load an adapter folder: PEFT's LoRA files, unchanged, plus our head and card. Nothing in it is trusted.

Every refusal is an `AdapterError` that names the file, the field or tensor, and what was expected.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models_zoo.llm.card import (
    ADAPTER_CARD_FILE,
    ADAPTER_CONFIG_FILE,
    ADAPTER_FILE,
    HEAD_FILE,
    AdapterCard,
    AdapterError,
    BaseCard,
    ModelError,
    Task,
    read_adapter_card,
    read_json,
    shown,
)
from models_zoo.llm.heads import Head, build_head
from models_zoo.llm.lora import LoraWeights, target_shape
from models_zoo.llm.tensor_header import ITEM_BYTES, TensorEntry, read_header

MAX_RANK = 64
MAX_SCALE = 1e4  # of lora_alpha / r, or / sqrt(r): far beyond any in use
LARGEST = 65504.0  # of a factor's values, the scale applied: float16's
MAX_WINDOW = 1024  # tokens of a text for a head: they are read in one step, while others wait
ATTENTION_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj")
TARGETS = (*ATTENTION_TARGETS, "gate_proj", "up_proj", "down_proj")
PREFIXES = ("base_model.model.model.", "base_model.model.")  # causal models, and bare decoders
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# PEFT's fields that change nothing about a finished adapter's output
WITHOUT_EFFECT = {
    "base_model_name_or_path",
    "ensure_weight_tying",
    "inference_mode",
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "task_type",
}
READ = {"peft_type", "r", "lora_alpha", "target_modules", "use_rslora", "layers_to_transform", "bias"}
PLAIN_STARTS = (True, False, None, "gaussian", "orthogonal")  # others (PiSSA, OLoRA) also change the base


@dataclass(slots=True, frozen=True)
class LoraConfig:
    """The part of `adapter_config.json` that has an effect."""

    rank: int
    scale: float
    targets: tuple[str, ...]
    layers: tuple[int, ...]


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
    card = _card(folder, base)
    config = read_lora_config(folder / ADAPTER_CONFIG_FILE, base)
    weights = _lora_weights(folder / ADAPTER_FILE, config, base)
    return LoadedAdapter(card, weights, _head(folder / HEAD_FILE, card, base))


def _card(folder: Path, base: BaseCard) -> AdapterCard:
    if not (folder / ADAPTER_CARD_FILE).exists():
        return AdapterCard(name=folder.name, task="chat", base_fingerprint=base.fingerprint)
    card = read_adapter_card(folder)
    if card.base_fingerprint != base.fingerprint:
        raise AdapterError(
            f"{folder / ADAPTER_CARD_FILE}: base_fingerprint is {card.base_fingerprint[:12]}…, "
            f"expected {base.fingerprint[:12]}… ({base.name})"
        )
    if (card.task == "chat") == bool(card.labels):
        expected = "none for chat" if card.task == "chat" else "at least one"
        raise AdapterError(f"{folder / ADAPTER_CARD_FILE}: labels is {card.labels!r}, expected {expected}")
    if card.max_tokens < 1 or not 0 <= card.overlap_tokens < card.max_tokens:
        raise AdapterError(
            f"{folder / ADAPTER_CARD_FILE}: overlap_tokens is {card.overlap_tokens}, "
            f"expected 0 .. max_tokens - 1 ({card.max_tokens - 1})"
        )
    longest = longest_window(card.task, base)
    if card.max_tokens > longest:
        raise AdapterError(
            f"{folder / ADAPTER_CARD_FILE}: max_tokens is {shown(card.max_tokens)}, expected at most {longest}"
        )
    return card


def longest_window(task: Task, base: BaseCard) -> int:
    """Tokens an adapter's card may name as `max_tokens`: what is read in one piece, or was in training (chat)."""
    return base.config.context if task == "chat" else min(base.config.context, MAX_WINDOW)


def read_lora_config(path: Path, base: BaseCard) -> LoraConfig:
    """The LoRA configuration in PEFT's JSON, or `AdapterError` for an option this engine does not apply."""
    try:
        values = read_json(path)
    except ModelError as error:
        raise AdapterError(str(error)) from error
    _require(path, "peft_type", values.get("peft_type"), values.get("peft_type") == "LORA", "'LORA'")
    rank: Any = values.get("r")
    alpha: Any = values.get("lora_alpha")
    _require(path, "r", rank, _is_int(rank) and 1 <= rank <= MAX_RANK, f"an integer from 1 to {MAX_RANK}")
    root = math.sqrt(rank) if values.get("use_rslora") is True else rank
    number = isinstance(alpha, int | float) and not isinstance(alpha, bool)
    bounded = number and 0 < alpha <= MAX_SCALE * root
    _require(
        path, "lora_alpha", alpha, bounded, f"more than 0, and at most {MAX_SCALE * root:g} at this rank"
    )
    _require(path, "bias", values.get("bias"), values.get("bias", "none") == "none", "'none'")
    start = values.get("init_lora_weights", True)
    plain = any(start is option or (isinstance(start, str) and start == option) for option in PLAIN_STARTS)
    _require(path, "init_lora_weights", start, plain, "a start that leaves the base unchanged")
    _refuse_other_options(path, values)
    return LoraConfig(rank, alpha / root, _targets(path, values), _layers(path, values, base.config.layers))


def _refuse_other_options(path: Path, values: dict[str, Any]) -> None:
    for field in sorted(set(values) - WITHOUT_EFFECT - READ - {"init_lora_weights"}):
        _require(path, field, values[field], not values[field], "it unset (this option is not supported)")


def _targets(path: Path, values: dict[str, Any]) -> tuple[str, ...]:
    targets = values.get("target_modules")
    plain = isinstance(targets, list) and bool(targets) and all(name in TARGETS for name in targets)
    _require(path, "target_modules", targets, plain, f"a list of names among {', '.join(TARGETS)}")
    return tuple(sorted(set(targets), key=TARGETS.index))  # type: ignore[arg-type]


def _layers(path: Path, values: dict[str, Any], layers: int) -> tuple[int, ...]:
    chosen = values.get("layers_to_transform")
    if chosen is None:
        return tuple(range(layers))
    chosen = [chosen] if _is_int(chosen) else chosen
    valid = isinstance(chosen, list) and bool(chosen) and all(_is_int(n) and 0 <= n < layers for n in chosen)
    _require(path, "layers_to_transform", chosen, valid, f"layer numbers from 0 to {layers - 1}")
    return tuple(sorted(set(chosen)))


def _lora_weights(path: Path, config: LoraConfig, base: BaseCard) -> LoraWeights:
    header = read_header(path)
    prefix = _prefix(header)
    tensors, most = _read_with_largest(path, header, _expected_shapes(prefix, config, base))
    bounded = most * max(1.0, config.scale) <= LARGEST
    matrices = {}
    for layer in config.layers:
        for target in config.targets:
            name = prefix + module_name(layer, target)
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
        _require(path, f"{name}.{part}", "too large", small, f"at most {LARGEST:g} everywhere")


def module_name(layer: int, target: str) -> str:
    """PEFT's name of a target linear, below the prefix."""
    block = "self_attn" if target in ATTENTION_TARGETS else "mlp"
    return f"layers.{layer}.{block}.{target}"


def _expected_shapes(prefix: str, config: LoraConfig, base: BaseCard) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in config.layers:
        for target in config.targets:
            out, columns = target_shape(base.config, target)
            name = prefix + module_name(layer, target)
            shapes[f"{name}.lora_A.weight"] = (config.rank, columns)
            shapes[f"{name}.lora_B.weight"] = (out, config.rank)
    return shapes


def _prefix(names: Any) -> str:
    return next((p for p in PREFIXES if any(name.startswith(f"{p}layers.") for name in names)), PREFIXES[0])


def read_tensors(
    path: Path, header: Mapping[str, TensorEntry], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Tensor]:
    """The tensors of a safetensors file as float32, which must be exactly those in `shapes`, and finite.

    Its header (`read_header`) is checked before any data is read.
    """
    return _read_with_largest(path, header, shapes)[0]


def _read_with_largest(
    path: Path, header: Mapping[str, TensorEntry], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Tensor], float]:
    """The same, and the largest absolute value in it."""
    _compare_names(path, set(header), set(shapes))
    for name, shape in shapes.items():
        found, dtype = header[name].shape, header[name].dtype
        _require(path, name, f"of shape {list(found)}", found == shape, f"shape {list(shape)}")
        _require(path, name, f"of type {dtype}", dtype in DTYPES, " or ".join(sorted(DTYPES)))
    data = _data(path, max(entry.stop for entry in header.values()))
    flat, most = _as_a_whole(data, header)
    if not flat:
        flat = {name: _values(data, header[name]) for name in shapes}
        sizes = {name: _largest(tensor) for name, tensor in flat.items()}
        for name, size in sizes.items():
            _require(path, name, "not finite everywhere", math.isfinite(size), "no NaN or infinity")
        most = max(sizes.values())
    return {name: flat[name].view(shape) for name, shape in shapes.items()}, most


def _as_a_whole(data: Tensor, header: Mapping[str, TensorEntry]) -> tuple[dict[str, Tensor], float]:
    """Of tensors of one type, as they are usually written, all values in a few calls: one for each of hundreds would
    hold up the engine's thread beside this one. Nothing when they are of several types, or one is not finite."""
    kind, *others = {entry.dtype for entry in header.values()}
    stored = data.view(DTYPES[kind]) if not others else data
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
    return data[entry.start : entry.stop].clone().view(DTYPES[entry.dtype]).float()


def _largest(tensor: Tensor) -> float:
    """The largest absolute value, NaN if one is; in one pass, without a copy of the tensor."""
    low, high = torch.aminmax(tensor)
    return float(torch.maximum(-low, high))


def _compare_names(path: Path, found: set[str], expected: set[str]) -> None:
    if missing := sorted(expected - found):
        raise AdapterError(f"{path}: tensor {missing[0]} is missing ({len(missing)} of {len(expected)} are)")
    if extra := sorted(found - expected):
        raise AdapterError(
            f"{path}: unexpected tensor {extra[0]} ({len(extra)} in all), expected only LoRA targets"
        )


def _head(path: Path, card: AdapterCard, base: BaseCard) -> Head | None:
    head = build_head(card, base.config.hidden_size)
    if head is None:
        if path.exists():
            raise AdapterError(f"{path}: unexpected file, expected no head for task {card.task!r}")
        return None
    shapes = {name: tuple(value.shape) for name, value in head.state_dict().items()}
    head.load_state_dict(read_tensors(path, read_header(path), shapes))
    return head.requires_grad_(False).eval()


def _require(path: Path, field: str, value: Any, condition: bool, expected: str) -> None:
    if not condition:
        plain = isinstance(value, str) and value.startswith(("of ", "not ", "too "))
        raise AdapterError(f"{path}: {field} is {value if plain else shown(value)}, expected {expected}")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
