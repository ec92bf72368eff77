"""LoRA (Hu et al., 2021) for many adapters at once: a pool of slots per fused linear, and one batch over any
of them.

The grouped shrink and expand over a stacked pool follows Punica (Chen et al., 2023) and S-LoRA (Sheng et al.,
2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models_zoo.llm.card import BaseConfig
from models_zoo.llm.decoder import Project, base_only
from models_zoo.llm.linear import Matrix

POOL_RANKS = (16, 32, 64)
PARTS = {
    "qkv": ("q_proj", "k_proj", "v_proj"),
    "output": ("o_proj",),
    "gate_up": ("gate_proj", "up_proj"),
    "down": ("down_proj",),
}


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


class LoraPool:
    """Slots 1 .. `slots` of stacked adapter weights on the device; slot 0 means none and takes no memory.

    Per layer and fused linear: A [slots, in, parts * rank] and B [slots, parts * rank, out], block-diagonal
    over the parts, where rank is 16, 32 or 64: the smallest that holds every adapter placed so far.
    """

    def __init__(self, config: BaseConfig, slots: int, device: torch.device, dtype: torch.dtype) -> None:
        self.config = config
        self.slots = slots
        self.rank = 0
        self._device = device
        self._dtype = dtype
        self._a: dict[tuple[int, str], Tensor] = {}
        self._b: dict[tuple[int, str], Tensor] = {}
        self._placed: dict[int, LoraWeights] = {}

    def place(self, slot: int, weights: LoraWeights) -> None:
        """Put an adapter into `slot`, replacing what was there."""
        self._placed[slot] = weights
        needed = next(rank for rank in POOL_RANKS if rank >= weights.rank)
        if needed > self.rank:
            self._grow(needed)
        else:
            self._copy(slot, weights)

    def project(self, slots: Sequence[int], tokens: int = 1) -> Project:
        """The projection of a batch whose sequence b, `tokens` rows long, uses the adapter in `slots[b]`."""
        if not any(slots):
            return base_only
        rows = [slot for slot in slots for _ in range(tokens)]
        if len(set(slots)) == 1:
            return _OneAdapter(self._a, self._b, slots[0] - 1)
        return _ManyAdapters(self._a, self._b, rows, self._device)

    def _grow(self, rank: int) -> None:
        self.rank = rank
        for layer in range(self.config.layers):
            for name, parts in PARTS.items():
                width = len(parts) * rank
                shapes = [target_shape(self.config, part) for part in parts]
                rows, columns = sum(out for out, _ in shapes), shapes[0][1]
                # left unwritten: an empty slot in the middle of a batch's range is computed and thrown away
                self._a[layer, name] = self._empty(columns, width)
                self._b[layer, name] = self._empty(width, rows)
        for slot, weights in self._placed.items():
            self._copy(slot, weights)

    def _empty(self, *shape: int) -> Tensor:
        return torch.empty((self.slots, *shape), dtype=self._dtype, device=self._device)

    def _copy(self, slot: int, weights: LoraWeights) -> None:
        for (layer, name), a in self._a.items():
            self._copy_linear(
                a[slot - 1].zero_(), self._b[layer, name][slot - 1].zero_(), weights, layer, name
            )

    def _copy_linear(self, a: Tensor, b: Tensor, weights: LoraWeights, layer: int, name: str) -> None:
        first_row = 0
        for index, part in enumerate(PARTS[name]):
            out = target_shape(self.config, part)[0]
            if (layer, part) in weights.matrices:
                shrink, expand = weights.matrices[layer, part]
                start = index * self.rank
                a[:, start : start + weights.rank] = shrink.t()
                b[start : start + weights.rank, first_row : first_row + out] = expand.t()
            first_row += out


class _OneAdapter:
    """Every row uses the same slot."""

    def __init__(
        self, a: dict[tuple[int, str], Tensor], b: dict[tuple[int, str], Tensor], index: int
    ) -> None:
        self._a, self._b, self._index = a, b, index

    def __call__(self, layer: int, name: str, matrix: Matrix, x: Tensor) -> Tensor:
        shrunk = x @ self._a[layer, name][self._index]
        return torch.addmm(matrix(x), shrunk, self._b[layer, name][self._index])


class _ManyAdapters:
    """Rows of several adapters, some perhaps of none: gathered per slot, padded to the largest group."""

    def __init__(
        self,
        a: dict[tuple[int, str], Tensor],
        b: dict[tuple[int, str], Tensor],
        rows: Sequence[int],
        device: torch.device,
    ) -> None:
        self._a, self._b = a, b
        groups = row_groups(rows)
        first, last = min(groups), max(groups)
        longest = max(len(group) for group in groups.values())
        gather: list[int] = []
        target: list[int] = []
        place: list[int] = []
        for position, slot in enumerate(range(first, last + 1)):
            group = groups.get(slot, [])
            gather += group + [0] * (longest - len(group))
            target += group
            place += range(position * longest, position * longest + len(group))
        self._range = slice(first - 1, last)
        self._size = (last - first + 1, longest)
        self._gather, self._target, self._place = (
            torch.tensor(index, device=device) for index in (gather, target, place)
        )

    def __call__(self, layer: int, name: str, matrix: Matrix, x: Tensor) -> Tensor:
        grouped = x[self._gather].view(*self._size, -1)
        delta = grouped @ self._a[layer, name][self._range] @ self._b[layer, name][self._range]
        return matrix(x).index_add_(0, self._target, delta.flatten(0, 1)[self._place])


def row_groups(rows: Sequence[int]) -> dict[int, list[int]]:
    """Row numbers by slot, rows without an adapter left out."""
    groups: dict[int, list[int]] = {}
    for row, slot in enumerate(rows):
        if slot:
            groups.setdefault(slot, []).append(row)
    return groups
