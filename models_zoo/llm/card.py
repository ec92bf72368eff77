"""What a base and an adapter say about themselves, as plain JSON files.

This module imports neither torch nor anything outside the standard library: the web process reads cards too,
and so does a training machine that carries little more than torch.
"""

from __future__ import annotations

import hashlib
import json
import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from models_zoo.llm.foreign import AdapterError as AdapterError
from models_zoo.llm.foreign import ModelError as ModelError
from models_zoo.llm.foreign import named, read_storable
from models_zoo.llm.foreign import read_json as read_json
from models_zoo.llm.foreign import shown as shown

BASE_FORMAT = "rootstock-base/1"
ADAPTER_FORMAT = "rootstock-adapter/1"
BASE_FILE = "base.safetensors"
BASE_CARD_FILE = "base.json"
ADAPTER_FILE = "adapter_model.safetensors"
ADAPTER_CONFIG_FILE = "adapter_config.json"
HEAD_FILE = "head.safetensors"
ADAPTER_CARD_FILE = "card.json"
CONTENT_FILES = (ADAPTER_FILE, ADAPTER_CONFIG_FILE, HEAD_FILE, ADAPTER_CARD_FILE)

Task = Literal["chat", "classification", "tagging"]


@dataclass(slots=True, frozen=True)
class BaseConfig:
    """Shape of a Llama decoder with grouped-query attention and a head tied to the embedding."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    context: int
    rope_theta: float
    norm_epsilon: float


@dataclass(slots=True, frozen=True)
class BaseCard:
    """`base.json`. `fingerprint` is the SHA-256 of `base.safetensors` and so names the exact weights.

    `quantization` is what the conversion was asked for, in words.
    """

    name: str
    fingerprint: str
    bytes: int
    config: BaseConfig
    begin_token: int
    end_token: int
    pad_token: int
    source: str
    source_sha256: str
    licence: str
    quantization: str = "as in the source"
    format: str = BASE_FORMAT


@dataclass(slots=True, frozen=True)
class AdapterCard:
    """`card.json` of an adapter: what it does, on which base, made from what, with which result."""

    name: str
    task: Task
    base_fingerprint: str
    labels: tuple[str, ...] = ()
    multi_label: bool = False
    bidirectional: bool = False
    max_tokens: int = 512
    overlap_tokens: int = 64
    thresholds: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    description: str = ""
    created: str = ""
    format: str = ADAPTER_FORMAT


def read_card(folder: Path) -> BaseCard:
    """The card of the base in `folder`. Raises `ModelError` when it is missing or malformed."""
    path = folder / BASE_CARD_FILE
    card = record_from(BaseCard, read_json(path), where=str(path))
    if card.format != BASE_FORMAT:
        raise ModelError(f"{path}: format is {card.format!r}, expected {BASE_FORMAT!r}")
    return card


def read_adapter_card(folder: Path) -> AdapterCard:
    """The card of the adapter in `folder`. Raises `AdapterError` when it is missing or malformed."""
    path = folder / ADAPTER_CARD_FILE
    try:
        card = record_from(AdapterCard, read_storable(path), where=str(path))
    except ModelError as error:
        raise AdapterError(str(error)) from error
    if card.format != ADAPTER_FORMAT:
        raise AdapterError(f"{path}: format is {shown(card.format)}, expected {ADAPTER_FORMAT!r}")
    if card.task not in get_args(Task):
        raise AdapterError(f"{path}: task is {shown(card.task)}, expected one of {', '.join(get_args(Task))}")
    return card


def write_card(card: BaseCard | AdapterCard, path: Path) -> None:
    """Write `card` as indented JSON."""
    path.write_text(json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def adapter_digest(folder: Path) -> str:
    """SHA-256 (hex) over the adapter's content files: names, lengths and bytes, in a fixed order.

    Raises `AdapterError` when the weights or their configuration are missing.
    """
    digest = hashlib.sha256()
    for name in CONTENT_FILES:
        path = folder / name
        if path.is_file():
            try:
                digest.update(f"{name}\0{path.stat().st_size}\0".encode())
                _feed(digest, path)
            except OSError as error:
                raise AdapterError(f"{path}: cannot be read: {error.strerror}") from error
        elif name in (ADAPTER_FILE, ADAPTER_CONFIG_FILE):
            raise AdapterError(f"{path}: file is missing")
    return digest.hexdigest()


def adapter_reference(name: str, folder: Path) -> str:
    """`name@` and the first twelve digits of the folder's digest: how an adapter is addressed everywhere."""
    return f"{name}@{adapter_digest(folder)[:12]}"


@cache
def full_digest(reference: str, folder: Path) -> str:
    """The whole digest that `name@digest` begins, if the adapter in `folder` is the one; else what the name says."""
    short = reference.partition("@")[2]
    try:
        digest = adapter_digest(folder)
    except AdapterError:
        return short
    return digest if short and digest.startswith(short) else short


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of one file."""
    digest = hashlib.sha256()
    _feed(digest, path)
    return digest.hexdigest()


Record = TypeVar("Record")


def record_from(kind: type[Record], values: Mapping[str, Any], where: str) -> Record:
    """Build the dataclass `kind` from JSON values; errors name the unknown, missing or mistyped field."""
    hints = get_type_hints(kind)
    _refuse_unknown(values, hints, where)
    arguments = {name: _coerce(hints[name], value, f"{where}: {name}") for name, value in values.items()}
    missing = [f.name for f in fields(kind) if f.name not in arguments and _required(f)]  # type: ignore[arg-type]
    if missing:
        raise ModelError(f"{where}: missing {', '.join(missing)}")
    return kind(**arguments)


def _required(entry: Any) -> bool:
    from dataclasses import MISSING

    return entry.default is MISSING and entry.default_factory is MISSING


def _refuse_unknown(values: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ModelError(f"{where}: unknown field {', '.join(map(named, unknown[:5]))}")


def _coerce(hint: Any, value: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _coerce_union(hint, value, where)
    if origin is Literal:
        return _expect(value in get_args(hint), value, where, f"one of {get_args(hint)}")
    if origin is tuple:
        _expect(isinstance(value, list | tuple), value, where, "a list")
        return tuple(
            _coerce(get_args(hint)[0], item, f"{where}[{index}]") for index, item in enumerate(value)
        )
    if origin is dict:
        return _coerce_dict(hint, value, where)
    return _coerce_plain(hint, value, where)


def _coerce_union(hint: Any, value: Any, where: str) -> Any:
    if value is None and type(None) in get_args(hint):
        return None
    inner = next(option for option in get_args(hint) if option is not type(None))
    return _coerce(inner, value, where)


def _coerce_dict(hint: Any, value: Any, where: str) -> Any:
    _expect(isinstance(value, dict), value, where, "an object")
    item = get_args(hint)[1]
    return {str(key): _coerce(item, entry, f"{where}.{named(key)}") for key, entry in value.items()}


def _coerce_plain(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    if hint is Path:
        return Path(_expect(isinstance(value, str | Path), value, where, "a path"))
    if hint is float:
        return float(_expect(is_number(value), value, where, "a finite number"))
    if hasattr(hint, "__dataclass_fields__"):
        _expect(isinstance(value, dict), value, where, "an object")
        return record_from(hint, value, where)
    exact = isinstance(value, hint) and not (hint is int and isinstance(value, bool))
    return _expect(exact, value, where, hint.__name__)


def is_number(value: Any) -> bool:
    """Whether a value from JSON is a number that a float can hold."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _expect(condition: bool, value: Any, where: str, expected: str) -> Any:
    if not condition:
        raise ModelError(f"{where} is {shown(value)}, expected {expected}")
    return value


def _feed(digest: Any, path: Path) -> None:
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
