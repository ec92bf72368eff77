"""Which tensors a Llama base has, of which shapes; and what of a foreign configuration can be believed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from models_zoo.llm.card import BASE_CARD_FILE, BaseCard, BaseConfig, ModelError
from models_zoo.llm.quant import GROUP

if TYPE_CHECKING:
    from models_zoo.llm.format import BaseFile

NORMS = ("input_layernorm", "post_attention_layernorm")
LINEARS = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)
EMBEDDINGS = ("embed_tokens", "lm_head")  # kept in 8 bits in every form
# far beyond any published model: a damaged or hostile file must not make us reserve memory
LIMITS = {
    "hidden_size": 1 << 16,
    "intermediate_size": 1 << 18,
    "layers": 1 << 10,
    "heads": 1 << 10,
    "kv_heads": 1 << 10,
    "head_size": 1 << 10,
    "vocabulary": 1 << 20,
    "context": 1 << 20,
}

Header = tuple[str, tuple[int, ...]]  # a stored tensor's type and shape


def checked(config: BaseConfig, where: str) -> BaseConfig:
    """The configuration itself. Raises `ModelError` naming the value that makes no sense or is not served."""
    for name, limit in LIMITS.items():
        value = getattr(config, name)
        if not 1 <= value <= limit:
            raise ModelError(f"{where}: {name} is {value}, expected 1 to {limit}")
    for name in ("rope_theta", "norm_epsilon"):
        value = getattr(config, name)
        if not (math.isfinite(value) and value > 0):
            raise ModelError(f"{where}: {name} is {value}, expected more than 0")
    if config.heads % config.kv_heads:
        raise ModelError(f"{where}: {config.heads} heads cannot share {config.kv_heads} key heads evenly")
    if config.head_size % 2:
        raise ModelError(f"{where}: head_size is {config.head_size}, expected an even number")
    widths = {
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "heads * head_size": config.heads * config.head_size,
    }
    for name, width in widths.items():
        if width % GROUP:
            raise ModelError(f"{where}: {name} is {width}, expected a multiple of {GROUP}")
    return config


def expected_shapes(config: BaseConfig, own_head: bool) -> dict[str, tuple[int, ...]]:
    """Every tensor by name, norms [H] and matrices [out, in], in the order in which they are converted."""
    hidden, inner = config.hidden_size, config.intermediate_size
    queries, keys = config.heads * config.head_size, config.kv_heads * config.head_size
    rows = (queries, keys, keys, hidden, inner, inner, hidden)
    columns = (hidden, hidden, hidden, queries, hidden, hidden, inner)
    shapes: dict[str, tuple[int, ...]] = {"embed_tokens": (config.vocabulary, hidden)}
    if own_head:
        shapes["lm_head"] = (config.vocabulary, hidden)
    shapes["norm"] = (hidden,)
    for layer in range(config.layers):
        shapes |= {f"layers.{layer}.{norm}": (hidden,) for norm in NORMS}
        for name, shape in zip(LINEARS, zip(rows, columns, strict=True), strict=True):
            shapes[f"layers.{layer}.{name}"] = shape
    return shapes


def check_file(card: BaseCard, file: BaseFile) -> None:
    """Raises `ModelError` unless every tensor has the type and shape that the card's configuration asks for.

    The kernels believe the configuration: one that says more than the file holds would make them read beyond it.
    """
    checked(card.config, str(file.path.with_name(BASE_CARD_FILE)))
    for name, shape in expected_shapes(card.config, "lm_head.codes" in file).items():
        for tensor, expected in _stored(file, name, shape):
            found = file.header(tensor)
            if found != expected:
                raise ModelError(
                    f"{file.path}: {tensor} is {_words(found)}, the card says {_words(expected)}"
                )
    if f"layers.{card.config.layers}.{NORMS[0]}.weight" in file:
        raise ModelError(f"{file.path}: more layers than the {card.config.layers} that the card says")


def _stored(file: BaseFile, name: str, shape: tuple[int, ...]) -> Iterator[tuple[str, Header]]:
    """The tensors that a norm or matrix is stored as, by name."""
    if len(shape) == 1:
        yield f"{name}.weight", ("F32", shape)
    elif f"{name}.fine" in file:
        high = sum(file.header(f"{name}.high.codes")[1][:1])
        yield f"{name}.fine", ("BOOL", shape[:1])
        yield from _four_bit(f"{name}.low", shape[0] - high, shape[1])
        yield from _eight_bit(f"{name}.high", high, shape[1])
    elif name in EMBEDDINGS or f"{name}.codes" in file:
        yield from _eight_bit(name, *shape)
    else:
        yield from _four_bit(name, *shape)


def _four_bit(name: str, rows: int, columns: int) -> Iterator[tuple[str, Header]]:
    yield f"{name}.nibbles", ("U8", (rows, columns // 2))
    for part in ("scale", "minimum"):
        yield f"{name}.{part}", ("F16", (rows, columns // GROUP))


def _eight_bit(name: str, rows: int, columns: int) -> Iterator[tuple[str, Header]]:
    yield f"{name}.codes", ("I8", (rows, columns))
    yield f"{name}.scale", ("F16", (rows, columns // GROUP))


def _words(header: Header) -> str:
    return f"{header[0]} {list(header[1])}"
