"""Adapters on the device: one stacked tensor, a row of it for each slot, so that a kernel finds them by number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from models_zoo.llm.adapter_memory import (
    PARTS,
    START,
    Form,
    aligned,
    linear_shapes,
    padded_rank,
    stacked_bytes,
)
from models_zoo.llm.card import BaseConfig
from models_zoo.llm.cuda.policy import PoolForm
from models_zoo.llm.lora import (
    Key,
    LoraPool,
    LoraWeights,
    PreparedLora,
    part_columns,
)

LARGEST = 127  # code of a weight in 8 bits
DTYPES: dict[PoolForm, torch.dtype] = {"int8": torch.int8, "bfloat16": torch.bfloat16}


@dataclass(slots=True, frozen=True)
class Place:
    """Bytes `start` to `stop` of a row, a tensor of this shape and type."""

    start: int
    stop: int
    shape: torch.Size
    dtype: torch.dtype

    def of(self, data: Tensor) -> Tensor:
        """The tensor [slots, *shape] in data uint8 [slots, bytes]."""
        return data[:, self.start : self.stop].view(self.dtype).view(len(data), *self.shape)


@dataclass(slots=True, frozen=True)
class Rows:
    """Views of stacked rows by (layer, fused linear): A [slots, P * R, K], B [slots, R, N], and what their product
    is multiplied with, float32 [slots, P * R]."""

    shrink: Mapping[Key, Tensor]
    expand: Mapping[Key, Tensor]
    scale: Mapping[Key, Tensor]


class Views(Mapping[Key, Tensor]):
    """What `view` makes of each place in a row, when it is asked for: an adapter of an 8B has hundreds, and who only
    copies its row looks at none."""

    def __init__(self, places: Mapping[Key, Place], view: Callable[[Place], Tensor]) -> None:
        self._places, self._view = places, view

    def __getitem__(self, key: Key) -> Tensor:
        return self._view(self._places[key])

    def __iter__(self) -> Iterator[Key]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@lru_cache(maxsize=64)
def places(
    config: BaseConfig, keys: tuple[Key, ...], rank: int, form: PoolForm
) -> tuple[dict[Key, Place], dict[Key, Place], dict[Key, Place]]:
    """Where A, B and the scales of adapters that reach `keys` lie in a row."""
    dtype, start = DTYPES[form], 0
    found: tuple[dict[Key, Place], dict[Key, Place], dict[Key, Place]] = ({}, {}, {})
    for key in keys:
        shapes = _shapes(config, key[1], rank)
        for part, shape, of in zip(found, shapes, (dtype, dtype, torch.float32), strict=True):
            size = of.itemsize * shape.numel()
            part[key] = Place(start, start + size, shape, of)
            start += aligned(size, START)
    return found


def carve(data: Tensor, config: BaseConfig, keys: Sequence[Key], rank: int, form: PoolForm) -> Rows:
    """Rows of adapters that reach `keys`, in data uint8 [slots, bytes] (see `row_bytes`)."""
    found = places(config, tuple(keys), rank, form)
    return Rows(*({key: place.of(data) for key, place in part.items()} for part in found))


def row_bytes(config: BaseConfig, keys: Sequence[Key], rank: int, form: PoolForm) -> int:
    """What an adapter of that rank takes."""
    return stacked_bytes(config, [name for _, name in keys], rank, DTYPES[form].itemsize)


def _shapes(config: BaseConfig, name: str, rank: int) -> tuple[torch.Size, torch.Size, torch.Size]:
    (inner, ranks), expand = linear_shapes(config, name, rank)
    return torch.Size([ranks, inner]), torch.Size(expand), torch.Size([ranks])


class StackedPool(LoraPool):
    """A `LoraPool` for `slots` adapters whose weights the kernels read by slot.

    Adapters are prepared in pinned host memory and copied when placed; `beside` means on a stream of their own. The
    stack has the rank of the largest adapter that was ever placed. In the form "int8" each rank's row of A, and of B
    within a part, is codes times a unit (absolute maximum / 127); the two units of a rank make one scale.
    """

    def __init__(
        self, config: BaseConfig, device: torch.device, slots: int, form: PoolForm = "bfloat16"
    ) -> None:
        super().__init__(config, device, torch.bfloat16)
        self.slots, self.rank, self.form = slots, 0, form
        self._rows = Rows({}, {}, {})
        self._stack = torch.empty(0, 0, dtype=torch.uint8, device=device)
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._coming: dict[int, torch.cuda.Event] = {}  # by slot, until it was seen to have arrived

    @property
    def memory_form(self) -> Form:
        """See `LoraPool`; in pinned memory on a CUDA device."""
        return "pinned int8" if self.form == "int8" else "pinned bfloat16"

    @property
    def layout(self) -> tuple[int, int]:
        """Address and rank of the stack: what recordings depend on."""
        return self._stack.data_ptr(), self.rank

    @property
    def keys(self) -> list[Key]:
        """(layer, fused linear) in the order of the stack."""
        return [(layer, name) for layer in range(self.config.layers) for name in PARTS]

    @property
    def bytes_of_one(self) -> int:
        """What an adapter takes on the device."""
        return self._stack.shape[1]

    @property
    def shrink(self) -> Mapping[Key, Tensor]:
        """A of all slots, see `Rows`."""
        return self._rows.shrink

    @property
    def expand(self) -> Mapping[Key, Tensor]:
        """B of all slots, see `Rows`."""
        return self._rows.expand

    @property
    def scale(self) -> Mapping[Key, Tensor]:
        """The scales of all slots, see `Rows`."""
        return self._rows.scale

    def prepare(self, weights: LoraWeights) -> PreparedLora:
        """See `LoraPool`."""
        keys = [key for key in self.keys if any((key[0], part) in weights.matrices for part in PARTS[key[1]])]
        found = self.blank(padded_rank(weights.rank), keys)
        found.data.zero_()
        for layers, rows in self._runs(found):
            for key in rows.expand:
                self._fill_rows(layers, key, rows, weights, found.rank)
        return found

    def blank(self, rank: int, keys: Sequence[Key]) -> PreparedLora:
        """See `LoraPool`."""
        size = row_bytes(self.config, keys, rank, self.form)
        data = torch.empty(size, dtype=torch.uint8, pin_memory=self._device.type == "cuda")
        return self.prepared(rank, data, keys)

    def prepared(self, rank: int, data: Tensor, keys: Sequence[Key]) -> PreparedLora:
        """The adapter in data uint8 [bytes]."""
        row = data[None]
        shrink, expand, scale = places(self.config, tuple(keys), rank, self.form)
        return PreparedLora(
            rank,
            data,
            Views(shrink, lambda place: place.of(row).transpose(1, 2)),
            Views(expand, lambda place: place.of(row)),
            None,
            Views(scale, lambda place: place.of(row)[0]),
        )

    def _fill_rows(self, layers: range, key: Key, rows: Rows, weights: LoraWeights, rank: int) -> None:
        """One linear of all `layers`, in a few calls: hundreds would hold up the engine's thread beside this one."""
        a, b, scale = rows.shrink[key], rows.expand[key], rows.scale[key]
        for index, (part, columns) in enumerate(part_columns(self.config, key[1])):
            own = slice(index * rank, index * rank + weights.rank)
            there = [place for place, layer in enumerate(layers) if (layer, part) in weights.matrices]
            if there:
                pairs = [weights.matrices[layers[place], part] for place in there]
                at = torch.tensor(there)
                a[at, own], unit = self._coded(torch.stack([down for down, _ in pairs]))
                b[at, : weights.rank, columns], other = self._coded(torch.stack([up.t() for _, up in pairs]))
                scale[at, own] = unit * other

    def _coded(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """rows [layers, R, columns] -> the same in the pool's form, and a unit float32 [layers, R] for each."""
        dtype = DTYPES[self.form]
        if self.form == "bfloat16":
            return rows.to(dtype), torch.ones(rows.shape[:2])
        unit = rows.abs().amax(2).clamp(min=1e-12) / LARGEST
        return (rows / unit[..., None]).round_().to(dtype), unit

    def place(self, slot: int, prepared: PreparedLora, beside: bool = False) -> None:
        """Copy an adapter into `slot`, replacing what was there. Raises `ValueError` for a slot that is not."""
        if not 1 <= slot <= self.slots:
            raise ValueError(f"slot is {slot}, expected 1 to {self.slots}")
        if prepared.rank > self.rank:
            self.settle()  # it copies what is there
            self._widen(prepared.rank)
        if beside and self._stream is not None:
            self._copy_beside(slot, prepared, self._stream)
        else:
            self.settle()
            self._copy(slot, prepared)
        self._placed[slot] = self._placed_at(slot)

    def arrived(self, slot: int) -> bool:
        """Whether the copy into `slot` is done."""
        event = self._coming.get(slot)
        if event is not None and event.query():  # type: ignore[no-untyped-call]
            del self._coming[slot]
        return slot not in self._coming

    def settle(self) -> bool:
        """Wait for all copies; whether there were any."""
        waited = bool(self._coming)
        for event in self._coming.values():
            event.synchronize()
        self._coming.clear()
        return waited

    def _copy_beside(self, slot: int, prepared: PreparedLora, stream: torch.cuda.Stream) -> None:
        """After what was launched so far, which may still read what was in the slot."""
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            self._copy(slot, prepared)
            self._coming[slot] = stream.record_event()

    def _copy(self, slot: int, prepared: PreparedLora) -> None:
        row = self._stack[slot - 1]
        if prepared.rank == self.rank and len(prepared.data) == len(row):
            row.copy_(prepared.data, non_blocking=True)  # the same layout
            return
        data = prepared.data.to(row.device, non_blocking=True)
        row.zero_()
        self._spread(prepared, data, row, self.rank)

    def _spread(self, prepared: PreparedLora, data: Tensor, row: Tensor, rank: int) -> None:
        """Copy an adapter, its `data` on the device, into a zeroed row of its rank or a higher one.

        Layers that have the same linears have the same layout: they are copied together.
        """
        own, c = prepared.rank, self.config
        wide = carve(row.view(c.layers, -1), c, [(0, name) for name in PARTS], rank, self.form)
        for layers, narrow in self._runs(replace(prepared, data=data)):
            these = slice(layers.start, layers.stop)
            for key in narrow.expand:
                shape = (len(layers), len(PARTS[key[1]]))
                for into, part in (
                    (wide.shrink[key], narrow.shrink[key]),
                    (wide.scale[key], narrow.scale[key]),
                ):
                    into[these].view(*shape, rank, -1)[:, :, :own] = part.view(*shape, own, -1)
                wide.expand[key][these, :own] = narrow.expand[key]

    def _runs(self, prepared: PreparedLora) -> Iterator[tuple[range, Rows]]:
        """Layers that follow each other and have the same linears, as rows of one layer each."""
        start = 0
        for layers, names in layer_runs(prepared.expand):
            keys = [(0, name) for name in names]
            end = start + len(layers) * row_bytes(self.config, keys, prepared.rank, self.form)
            own = prepared.data[start:end].view(len(layers), -1)
            yield layers, carve(own, self.config, keys, prepared.rank, self.form)
            start = end

    def _widen(self, rank: int) -> None:
        """A stack of higher rank, with what was placed. Without the memory for it everything stays as it was."""
        wider = padded_rank(rank)
        size = row_bytes(self.config, self.keys, wider, self.form)
        stack = torch.zeros(self.slots, size, dtype=torch.uint8, device=self._device)
        rows = carve(stack, self.config, self.keys, wider, self.form)
        for slot, adapter in self._placed.items():
            self._spread(adapter, adapter.data, stack[slot - 1], wider)
        self.rank, self._stack, self._rows = wider, stack, rows
        self._placed = {slot: self._placed_at(slot) for slot in self._placed}

    def _placed_at(self, slot: int) -> PreparedLora:
        return self.prepared(self.rank, self._stack[slot - 1], self.keys)


def layer_runs(keys: Iterable[Key]) -> list[tuple[range, list[str]]]:
    """Runs of consecutive layers in which the same linears are reached, and those linears."""
    names: dict[int, list[str]] = {}
    for layer, name in keys:
        names.setdefault(layer, []).append(name)
    runs: list[tuple[range, list[str]]] = []
    for layer, own in names.items():
        joins = bool(runs) and (runs[-1][0].stop, runs[-1][1]) == (layer, own)
        first = runs.pop()[0].start if joins else layer
        runs.append((range(first, layer + 1), own))
    return runs
