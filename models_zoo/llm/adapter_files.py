"""What an adapter's files must say, decided before any weight of it is read. Free of torch.

An adapter is PEFT's two LoRA files, unchanged, plus our head and card. Every refusal is an `AdapterError` that names
the file, the field or tensor, and what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_zoo.llm.card import (
    ADAPTER_CARD_FILE,
    ADAPTER_CONFIG_FILE,
    ADAPTER_FILE,
    HEAD_FILE,
    AdapterCard,
    AdapterError,
    BaseCard,
    BaseConfig,
    Task,
    read_adapter_card,
)
from models_zoo.llm.foreign import named, read_storable, shown
from models_zoo.llm.tensor_header import TensorEntry, read_header

MAX_RANK = 64
MAX_SCALE = 1e4  # of lora_alpha / r, or / sqrt(r): far beyond any in use
LARGEST = 65504.0  # of a factor's values, the scale applied: float16's
MAX_WINDOW = 1024  # tokens of a text for a head: they are read in one step, while others wait
ATTENTION_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj")
TARGETS = (*ATTENTION_TARGETS, "gate_proj", "up_proj", "down_proj")
PREFIXES = ("base_model.model.model.", "base_model.model.")  # causal models, and bare decoders
DTYPES = {"F32", "F16", "BF16"}
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
class AdapterPlan:
    """An adapter whose files have exactly the tensors that they should: what remains is to read the values.

    `lora` and `head` are the tensors of the two files by name; `head` is empty for chat. `prefix` is what PEFT put
    before the names.
    """

    card: AdapterCard
    config: LoraConfig
    prefix: str
    lora: Mapping[str, TensorEntry]
    head: Mapping[str, TensorEntry]


def adapter_plan(folder: Path, base: BaseCard) -> AdapterPlan:
    """The adapter in `folder`, verified against `base` but for its values. Raises `AdapterError`."""
    card = verified_card(folder, base)
    config = read_lora_config(folder / ADAPTER_CONFIG_FILE, base)
    path = folder / ADAPTER_FILE
    lora = read_header(path)
    prefix = _prefix(lora)
    _check_tensors(path, lora, lora_shapes(prefix, config, base.config))
    return AdapterPlan(card, config, prefix, lora, _head(folder / HEAD_FILE, card, base))


def _head(path: Path, card: AdapterCard, base: BaseCard) -> Mapping[str, TensorEntry]:
    shapes = head_shapes(card, base.config.hidden_size)
    if not shapes:
        if path.exists():
            raise AdapterError(f"{path}: unexpected file, expected no head for task {card.task!r}")
        return {}
    header = read_header(path)
    _check_tensors(path, header, shapes)
    return header


def head_shapes(card: AdapterCard, hidden: int) -> dict[str, tuple[int, ...]]:
    """The tensors of the head that the card's task calls for, as `heads.build_head` makes it; none for chat."""
    if card.task == "classification":
        wide = 2 * hidden
        return {
            "attention.weight": (1, hidden), "attention.bias": (1,), "norm.weight": (wide,), "norm.bias": (wide,),
            "output.weight": (len(card.labels), wide), "output.bias": (len(card.labels),),
        }  # fmt: skip
    if card.task == "tagging":
        tags = 1 + 2 * len(card.labels)
        return {
            "norm.weight": (hidden,), "norm.bias": (hidden,),
            "output.weight": (tags, hidden), "output.bias": (tags,),
        }  # fmt: skip
    return {}


def verified_card(folder: Path, base: BaseCard) -> AdapterCard:
    """The card of the adapter in `folder`, verified against `base`; a folder without one is a chat adapter.

    Raises `AdapterError` naming the field and what was expected.
    """
    if not (folder / ADAPTER_CARD_FILE).exists():
        return AdapterCard(name=folder.name, task="chat", base_fingerprint=base.fingerprint)
    card = read_adapter_card(folder)
    if card.base_fingerprint != base.fingerprint:
        raise AdapterError(
            f"{folder / ADAPTER_CARD_FILE}: base_fingerprint is {named(card.base_fingerprint[:12])}…, "
            f"expected {base.fingerprint[:12]}… ({base.name})"
        )
    if (card.task == "chat") == bool(card.labels):
        expected = "none for chat" if card.task == "chat" else "at least one"
        raise AdapterError(
            f"{folder / ADAPTER_CARD_FILE}: labels is {shown(list(card.labels))}, expected {expected}"
        )
    if card.max_tokens < 1 or not 0 <= card.overlap_tokens < card.max_tokens:
        raise AdapterError(
            f"{folder / ADAPTER_CARD_FILE}: overlap_tokens is {shown(card.overlap_tokens)}, "
            f"expected 0 .. max_tokens - 1 ({shown(card.max_tokens - 1)})"
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
    values = read_storable(path)
    require(path, "peft_type", values.get("peft_type"), values.get("peft_type") == "LORA", "'LORA'")
    rank: Any = values.get("r")
    alpha: Any = values.get("lora_alpha")
    require(path, "r", rank, _is_int(rank) and 1 <= rank <= MAX_RANK, f"an integer from 1 to {MAX_RANK}")
    stabilized = values.get("use_rslora", False)
    require(path, "use_rslora", stabilized, isinstance(stabilized, bool), "true or false")
    root = math.sqrt(rank) if stabilized else rank
    number = isinstance(alpha, int | float) and not isinstance(alpha, bool)
    bounded = number and 0 < alpha <= MAX_SCALE * root
    require(path, "lora_alpha", alpha, bounded, f"more than 0, and at most {MAX_SCALE * root:g} at this rank")
    require(path, "bias", values.get("bias"), values.get("bias", "none") == "none", "'none'")
    start = values.get("init_lora_weights", True)
    plain = any(start is option or (isinstance(start, str) and start == option) for option in PLAIN_STARTS)
    require(path, "init_lora_weights", start, plain, "a start that leaves the base unchanged")
    _refuse_other_options(path, values)
    return LoraConfig(rank, alpha / root, _targets(path, values), _layers(path, values, base.config.layers))


def _refuse_other_options(path: Path, values: dict[str, Any]) -> None:
    for field in sorted(set(values) - WITHOUT_EFFECT - READ - {"init_lora_weights"}):
        require(path, field, values[field], not values[field], "it unset (this option is not supported)")


def _targets(path: Path, values: dict[str, Any]) -> tuple[str, ...]:
    targets = values.get("target_modules")
    plain = isinstance(targets, list) and bool(targets) and all(name in TARGETS for name in targets)
    require(path, "target_modules", targets, plain, f"a list of names among {', '.join(TARGETS)}")
    return tuple(sorted(set(targets), key=TARGETS.index))  # type: ignore[arg-type]


def _layers(path: Path, values: dict[str, Any], layers: int) -> tuple[int, ...]:
    chosen = values.get("layers_to_transform")
    if chosen is None:
        return tuple(range(layers))
    chosen = [chosen] if _is_int(chosen) else chosen
    valid = isinstance(chosen, list) and bool(chosen) and all(_is_int(n) and 0 <= n < layers for n in chosen)
    require(path, "layers_to_transform", chosen, valid, f"layer numbers from 0 to {layers - 1}")
    return tuple(sorted(set(chosen)))


def module_name(layer: int, target: str) -> str:
    """PEFT's name of a target linear, below the prefix."""
    block = "self_attn" if target in ATTENTION_TARGETS else "mlp"
    return f"layers.{layer}.{block}.{target}"


def target_shape(config: BaseConfig, target: str) -> tuple[int, int]:
    """(out, in) of a target linear."""
    hidden, inner = config.hidden_size, config.intermediate_size
    heads, kv = config.heads * config.head_size, config.kv_heads * config.head_size
    shapes = {
        "q_proj": (heads, hidden),
        "k_proj": (kv, hidden),
        "v_proj": (kv, hidden),
        "o_proj": (hidden, heads),
    }
    shapes |= {"gate_proj": (inner, hidden), "up_proj": (inner, hidden), "down_proj": (hidden, inner)}
    return shapes[target]


def lora_shapes(prefix: str, config: LoraConfig, base: BaseConfig) -> dict[str, tuple[int, ...]]:
    """The tensors of the LoRA file by name: A [rank, in] and B [out, rank] of every target in every layer."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in config.layers:
        for target in config.targets:
            out, columns = target_shape(base, target)
            name = prefix + module_name(layer, target)
            shapes[f"{name}.lora_A.weight"] = (config.rank, columns)
            shapes[f"{name}.lora_B.weight"] = (out, config.rank)
    return shapes


def _prefix(names: Iterable[str]) -> str:
    return next((p for p in PREFIXES if any(name.startswith(f"{p}layers.") for name in names)), PREFIXES[0])


def _check_tensors(
    path: Path, header: Mapping[str, TensorEntry], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise unless the file has exactly the tensors in `shapes`, of types that are served."""
    _compare_names(path, set(header), set(shapes))
    for name, shape in shapes.items():
        found, dtype = header[name].shape, header[name].dtype
        require(path, name, f"of shape {list(found)}", found == shape, f"shape {list(shape)}")
        require(path, name, f"of type {dtype}", dtype in DTYPES, " or ".join(sorted(DTYPES)))


def _compare_names(path: Path, found: set[str], expected: set[str]) -> None:
    if missing := sorted(expected - found):
        raise AdapterError(f"{path}: tensor {missing[0]} is missing ({len(missing)} of {len(expected)} are)")
    if extra := sorted(found - expected):
        raise AdapterError(
            f"{path}: unexpected tensor {named(extra[0])} ({len(extra)} in all), expected only LoRA targets"
        )


def require(path: Path, field: str, value: Any, condition: bool, expected: str) -> None:
    """Raise `AdapterError` unless `condition`: the field of the file, what it is, and what was expected."""
    if not condition:
        plain = isinstance(value, str) and value.startswith(("of ", "not ", "too "))
        raise AdapterError(
            f"{path}: {named(field)} is {value if plain else shown(value)}, expected {expected}"
        )


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
