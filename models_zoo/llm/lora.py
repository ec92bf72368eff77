"""LoRA (Hu et al., 2021) for many adapters at once: slots of prepared weights, and one batch over any of
them.

Grouping a batch's rows by adapter follows Punica (Chen et al., 2023) and S-LoRA (Sheng et al., 2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from models_zoo.llm.card import BaseConfig
from models_zoo.llm.decoder import Project, base_only
from models_zoo.llm.linear import Matrix

POOL_RANKS = (16, 32, 64)
ALIGNMENT = 64  # elements between the starts of two matrices
PARTS = {
    "qkv": ("q_proj", "k_proj", "v_proj"),
    "output": ("o_proj",),
    "gate_up": ("gate_proj", "up_proj"),
    "down": ("down_proj",),
}
Key = tuple[int, str]  # layer and fused linear


@dataclass(slots=True, frozen=True)
class LoraWeights:
    """One adapter: (layer, target) -> A [rank, in] and B [out, rank], float32, the scale folded into B."""

    rank: int
    matrices: dict[tuple[int, str], tuple[Tensor, Tensor]]

    @property
    def bytes(self) -> int:
        return sum(a.nbytes + b.nbytes for a, b in self.matrices.values())


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


def part_columns(config: BaseConfig, name: str) -> list[tuple[str, slice]]:
    """The targets of a fused linear, and which of its outputs are theirs."""
    ends = list(accumulate(target_shape(config, part)[0] for part in PARTS[name]))
    return [
        (part, slice(first, end)) for part, first, end in zip(PARTS[name], [0, *ends], ends, strict=False)
    ]


@dataclass(slots=True, frozen=True)
class PreparedLora:
    """One adapter as the device computes with it, its rank padded to 16, 32 or 64.

    By (layer, fused linear), absent where the adapter does not reach: shrink A [in, parts * rank] and expand
    B [rank, out], whose columns belong to the parts in order. All are views of `data`.
    """

    rank: int
    data: Tensor
    shrink: Mapping[Key, Tensor]
    expand: Mapping[Key, Tensor]


class LoraPool:
    """Adapters by device slot; slot 0 means none. An empty slot takes no memory, an idle adapter no time."""

    def __init__(self, config: BaseConfig, device: torch.device, dtype: torch.dtype) -> None:
        self.config = config
        self._device = device
        self._dtype = dtype
        self._placed: dict[int, PreparedLora] = {}

    def prepare(self, weights: LoraWeights) -> PreparedLora:
        """The adapter in the device's layout. May run in any thread, and takes its time."""
        rank = next(padded for padded in POOL_RANKS if padded >= weights.rank)
        keys = [
            (layer, name)
            for layer in range(self.config.layers)
            for name, parts in PARTS.items()
            if any((layer, part) in weights.matrices for part in parts)
        ]
        shapes = {key: self._shapes(key[1], rank) for key in keys}
        data, views = self._carve([shape for pair in shapes.values() for shape in pair])
        shrink = dict(zip(keys, views[0::2], strict=True))
        expand = dict(zip(keys, views[1::2], strict=True))
        for key in keys:
            self._fill(key, shrink[key], expand[key], weights, rank)
        return PreparedLora(rank, data, shrink, expand)

    def place(self, slot: int, prepared: PreparedLora) -> None:
        """Put an adapter into `slot`, replacing what was there."""
        self._placed[slot] = prepared

    def clear(self, slot: int) -> None:
        """Empty a slot: its memory is given back when nobody else holds the adapter."""
        self._placed.pop(slot, None)

    def adapter(self, slot: int) -> PreparedLora:
        """What is in a slot."""
        return self._placed[slot]

    def project(self, slots: Sequence[int], tokens: int = 1) -> Project:
        """The projection of a batch whose sequence b, `tokens` rows long, uses the adapter in `slots[b]`."""
        groups = row_groups([slot for slot in slots for _ in range(tokens)])
        if not groups:
            return base_only
        return _Adapters(
            self.config,
            [(self.adapter(slot), torch.tensor(rows, device=self._device)) for slot, rows in groups.items()],
        )

    def _shapes(self, name: str, rank: int) -> tuple[tuple[int, int], tuple[int, int]]:
        shapes = [target_shape(self.config, part) for part in PARTS[name]]
        return (shapes[0][1], len(shapes) * rank), (rank, sum(out for out, _ in shapes))

    def _carve(self, shapes: Sequence[tuple[int, int]]) -> tuple[Tensor, list[Tensor]]:
        """One zeroed allocation, so that clearing a slot gives its memory back, and views of it."""
        sizes = [-(-rows * columns // ALIGNMENT) * ALIGNMENT for rows, columns in shapes]
        data = torch.zeros(sum(sizes), dtype=self._dtype, device=self._device)
        views = [
            piece[: rows * columns].view(rows, columns)
            for piece, (rows, columns) in zip(data.split(sizes), shapes, strict=True)
        ]
        return data, views

    def _fill(self, key: Key, a: Tensor, b: Tensor, weights: LoraWeights, rank: int) -> None:
        layer, name = key
        for index, (part, columns) in enumerate(part_columns(self.config, name)):
            if (layer, part) in weights.matrices:
                shrink, expand = weights.matrices[layer, part]
                start = index * rank
                a[:, start : start + weights.rank] = shrink.t()
                b[: weights.rank, columns] = expand.t()


class _Adapters:
    """Rows of several adapters, some perhaps of none."""

    def __init__(self, config: BaseConfig, groups: Sequence[tuple[PreparedLora, Tensor]]) -> None:
        self._columns = {name: [columns for _, columns in part_columns(config, name)] for name in PARTS}
        self._groups = groups

    def __call__(self, layer: int, name: str, matrix: Matrix, x: Tensor) -> Tensor:
        y = matrix(x)
        for adapter, rows in self._groups:
            if (layer, name) in adapter.shrink:
                y.index_add_(0, rows, self._delta(adapter, (layer, name), x[rows]).to(y.dtype))
        return y

    def _delta(self, adapter: PreparedLora, key: Key, x: Tensor) -> Tensor:
        a, b = adapter.shrink[key], adapter.expand[key]
        shrunk = (x.to(a.dtype) @ a).split(adapter.rank, dim=1)
        pieces = [part @ b[:, columns] for part, columns in zip(shrunk, self._columns[key[1]], strict=True)]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)


def row_groups(rows: Sequence[int]) -> dict[int, list[int]]:
    """Row numbers by slot, rows without an adapter left out."""
    groups: dict[int, list[int]] = {}
    for row, slot in enumerate(rows):
        if slot:
            groups.setdefault(slot, []).append(row)
    return groups
