"""What an adapter takes of a worker's memory, from its shape alone. Free of torch: pools lay out their memory by it,
and the web process counts budgets by it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Literal, get_args

from models_zoo.llm.adapter_files import head_shapes, target_shape
from models_zoo.llm.card import AdapterCard, BaseConfig

Form = Literal["float32", "float16", "bfloat16", "pinned bfloat16", "pinned int8"]
FORMS: tuple[Form, ...] = get_args(Form)
ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}
POOL_RANKS = (16, 32, 64)  # an adapter's rank is padded to one of them
ALIGNMENT = 64  # elements between the starts of two matrices in a pool of single adapters
START = 64  # bytes: where each matrix of a stacked row begins is a multiple
PARTS = {
    "qkv": ("q_proj", "k_proj", "v_proj"),
    "output": ("o_proj",),
    "gate_up": ("gate_proj", "up_proj"),
    "down": ("down_proj",),
}
Pair = tuple[tuple[int, int], tuple[int, int]]


def padded_rank(rank: int) -> int:
    """The rank that an adapter of this one is held with."""
    return next(padded for padded in POOL_RANKS if padded >= rank)


def linear_shapes(config: BaseConfig, name: str, rank: int) -> Pair:
    """Of a fused linear's A [in, parts * rank] and B [rank, out]."""
    shapes = [target_shape(config, part) for part in PARTS[name]]
    return (shapes[0][1], len(shapes) * rank), (rank, sum(rows for rows, _ in shapes))


def aligned(size: int, to: int) -> int:
    """The next multiple."""
    return -(-size // to) * to


def single_elements(config: BaseConfig, names: Iterable[str], rank: int) -> int:
    """Elements of a layer in a pool that holds each adapter by itself."""
    pairs = (linear_shapes(config, name, rank) for name in names)
    return sum(aligned(math.prod(shape), ALIGNMENT) for pair in pairs for shape in pair)


def stacked_bytes(config: BaseConfig, names: Iterable[str], rank: int, item: int) -> int:
    """Bytes of these linears in a row of a stack: A, B, and the float32 scales of their product."""
    total = 0
    for name in names:
        a, b = linear_shapes(config, name, rank)
        total += aligned(item * math.prod(a), START) + aligned(item * math.prod(b), START)
        total += aligned(4 * a[1], START)
    return total


def pinned_bytes(size: int) -> int:
    """What `size` bytes of pinned host memory take: torch rounds each allocation up to a power of two."""
    return 1 << (size - 1).bit_length() if size else 0


def resident_bytes(
    config: BaseConfig, card: AdapterCard, rank: int, targets: Collection[str], layers: int, form: Form
) -> int:
    """Bytes of an adapter in a worker that holds adapters in this form, its head in float32."""
    names = [name for name, parts in PARTS.items() if set(parts) & set(targets)]
    rank, kind = padded_rank(rank), form.removeprefix("pinned ")
    head = 4 * sum(math.prod(shape) for shape in head_shapes(card, config.hidden_size).values())
    if kind == form:
        return head + layers * single_elements(config, names, rank) * ITEM_BYTES[kind]
    return head + pinned_bytes(layers * stacked_bytes(config, names, rank, ITEM_BYTES[kind]))
