"""LoRA (Hu et al., 2021) for many adapters at once: slots of prepared weights, and one batch over any of
them.

Grouping a batch's rows by adapter follows Punica (Chen et al., 2023) and S-LoRA (Sheng et al., 2023).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import cast

import torch
from torch import Tensor

from models_zoo.llm.adapter_files import target_shape
from models_zoo.llm.adapter_memory import (
    ALIGNMENT,
    PARTS,
    Form,
    aligned,
    linear_shapes,
    padded_rank,
    pinned_bytes,
)
from models_zoo.llm.card import BaseConfig
from models_zoo.llm.decoder import Project, base_only
from models_zoo.llm.linear import Matrix
from models_zoo.llm.native.forward import AdapterStruct, adapter_struct

Key = tuple[int, str]  # layer and fused linear
Shape = tuple[int, int, int]  # tiles, rows, width
TILE = 16


@dataclass(slots=True, frozen=True)
class LoraWeights:
    """One adapter: (layer, target) -> A [rank, in] and B [out, rank], float32, the scale folded into B."""

    rank: int
    matrices: dict[tuple[int, str], tuple[Tensor, Tensor]]

    @property
    def bytes(self) -> int:
        return sum(a.nbytes + b.nbytes for a, b in self.matrices.values())


def part_columns(config: BaseConfig, name: str) -> list[tuple[str, slice]]:
    """The targets of a fused linear, and which of its outputs are theirs."""
    ends = list(accumulate(target_shape(config, part)[0] for part in PARTS[name]))
    return [
        (part, slice(first, end)) for part, first, end in zip(PARTS[name], [0, *ends], ends, strict=False)
    ]


@dataclass(slots=True, frozen=True)
class PreparedLora:
    """One adapter as the device computes with it, its rank padded to 16, 32 or 64.

    By (layer, fused linear), absent where the adapter does not reach: A [in, parts * rank] as shrink
    [tiles, in, width] and B [rank, out], whose columns belong to the parts in order, as expand
    [tiles, rank, width]. All are views of `data`. `struct` is what our own kernels read. Where A and B are codes,
    `scale` float32 [parts * rank] is what their product is multiplied with.
    """

    rank: int
    data: Tensor
    shrink: Mapping[Key, Tensor]
    expand: Mapping[Key, Tensor]
    struct: AdapterStruct | None
    scale: Mapping[Key, Tensor] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """The memory it takes."""
        return pinned_bytes(self.data.nbytes) if self.data.is_pinned() else self.data.nbytes


class LoraPool:
    """Adapters by device slot; slot 0 means none. An empty slot takes no memory, an idle adapter no time.

    `native` lays them out for our own CPU kernels, 16 columns to a tile; else a matrix is one tile.
    """

    def __init__(
        self, config: BaseConfig, device: torch.device, dtype: torch.dtype, native: bool = False
    ) -> None:
        self.config = config
        self.native = native
        self._device = device
        self._dtype = dtype
        self._placed: dict[int, PreparedLora] = {}

    @property
    def memory_form(self) -> Form:
        """How it holds adapters in memory, see `adapter_memory`."""
        return cast(Form, str(self._dtype).removeprefix("torch."))

    def prepare(self, weights: LoraWeights) -> PreparedLora:
        """The adapter in the device's layout. May run in any thread, and takes its time."""
        keys = [
            (layer, name)
            for layer in range(self.config.layers)
            for name, parts in PARTS.items()
            if any((layer, part) in weights.matrices for part in parts)
        ]
        prepared = self.blank(padded_rank(weights.rank), keys)
        prepared.data.zero_()
        for key in keys:
            self._fill(key, prepared.shrink[key], prepared.expand[key], weights, prepared.rank)
        return prepared

    def blank(self, rank: int, keys: Sequence[Key]) -> PreparedLora:
        """Host memory for an adapter of this padded rank that reaches `keys`, its bytes not set. Any thread."""
        shapes = [shape for _, name in keys for shape in self.shapes(name, rank)]
        data, views = self._carve(shapes)
        shrink, expand = (dict(zip(keys, half, strict=True)) for half in (views[0::2], views[1::2]))
        prepared = PreparedLora(rank, data, shrink, expand, None)
        if not self.native:
            return prepared
        return replace(prepared, struct=adapter_struct(prepared, self.config.layers))

    def place(self, slot: int, prepared: PreparedLora, beside: bool = False) -> None:
        """Put an adapter into `slot`, replacing what was there. Placed `beside` the steps that go on, it is not to be
        computed with before it `arrived`."""
        self._placed[slot] = prepared

    def arrived(self, slot: int) -> bool:
        """Whether what was placed in `slot` can be computed with."""
        return True

    def settle(self) -> bool:
        """Wait until everything placed has arrived; whether there was anything to wait for."""
        return False

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

    def shapes(self, name: str, rank: int) -> tuple[Shape, Shape]:
        """Of a fused linear's shrink and expand."""
        shrink, expand = linear_shapes(self.config, name, rank)
        return self._tiled(*shrink), self._tiled(*expand)

    def _tiled(self, rows: int, columns: int) -> Shape:
        return (columns // TILE, rows, TILE) if self.native else (1, rows, columns)

    def _carve(self, shapes: Sequence[Shape]) -> tuple[Tensor, list[Tensor]]:
        """One allocation, so that clearing a slot gives its memory back, and views of it."""
        size, starts = self.extents(shapes)
        data = torch.empty(size, dtype=self._dtype, device=self._device)
        pieces = zip(starts, shapes, strict=True)
        return data, [data[start : start + math.prod(shape)].view(shape) for start, shape in pieces]

    @staticmethod
    def extents(shapes: Sequence[Shape]) -> tuple[int, list[int]]:
        """How many elements matrices of these shapes take, and where each begins."""
        sizes = [aligned(math.prod(shape), ALIGNMENT) for shape in shapes]
        ends = list(accumulate(sizes))
        return ends[-1] if ends else 0, [0, *ends[:-1]][: len(sizes)]

    def _fill(self, key: Key, a: Tensor, b: Tensor, weights: LoraWeights, rank: int) -> None:
        layer, name = key
        whole_a, whole_b = (
            tiles[0] if len(tiles) == 1 else torch.zeros_like(flat(tiles)) for tiles in (a, b)
        )
        for index, (part, columns) in enumerate(part_columns(self.config, name)):
            if (layer, part) in weights.matrices:
                shrink, expand = weights.matrices[layer, part]
                start = index * rank
                whole_a[:, start : start + weights.rank] = shrink.t()
                whole_b[: weights.rank, columns] = expand.t()
        for tiles, whole in ((a, whole_a), (b, whole_b)):
            if len(tiles) > 1:
                tiles.copy_(whole.view(len(whole), len(tiles), -1).transpose(0, 1))


def flat(tiles: Tensor) -> Tensor:
    """[tiles, rows, width] -> [rows, tiles * width]; a single tile is not copied."""
    return tiles.transpose(0, 1).flatten(1)


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
        a, b = flat(adapter.shrink[key]), flat(adapter.expand[key])
        if a.dtype == torch.int8:
            a, b = a.to(torch.bfloat16), b.to(torch.bfloat16)
        whole = x.to(a.dtype) @ a
        if key in adapter.scale:
            whole *= adapter.scale[key]
        shrunk = torch.split(whole, adapter.rank, dim=1)
        pieces = [part @ b[:, columns] for part, columns in zip(shrunk, self._columns[key[1]], strict=True)]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)


def row_groups(rows: Sequence[int]) -> dict[int, list[int]]:
    """Row numbers by slot, rows without an adapter left out."""
    groups: dict[int, list[int]] = {}
    for row, slot in enumerate(rows):
        if slot:
            groups.setdefault(slot, []).append(row)
    return groups
