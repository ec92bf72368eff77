"""Adapters on the device: one stacked tensor, a row of it for each slot, so that a kernel finds them by number."""

from __future__ import annotations

import torch
from torch import Tensor

from models_zoo.llm.card import BaseConfig
from models_zoo.llm.lora import PARTS, POOL_RANKS, Key, LoraPool, PreparedLora


class StackedPool(LoraPool):
    """A `LoraPool` for `slots` adapters whose weights the kernels read by slot.

    Adapters are prepared in pinned host memory and copied when placed; `beside` means on a stream of their own. The
    stack has the rank of the largest adapter that was ever placed.
    """

    def __init__(self, config: BaseConfig, device: torch.device, slots: int) -> None:
        super().__init__(config, device, torch.bfloat16)
        self.slots, self.rank = slots, 0
        self.shrink: dict[Key, Tensor] = {}
        self.expand: dict[Key, Tensor] = {}
        self._stack = torch.empty(0, 0, device=device)
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._coming: dict[int, torch.cuda.Event] = {}  # by slot, until it was seen to have arrived

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
        return self._stack.shape[1] * self._stack.element_size()

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
        if prepared.rank == self.rank and prepared.shrink.keys() == self.shrink.keys():
            row.copy_(prepared.data, non_blocking=True)  # the same layout
            return
        row.zero_()
        for key, a in prepared.shrink.items():
            parts, columns = len(PARTS[key[1]]), a.shape[1]
            wide = self.shrink[key][slot - 1].view(columns, parts, self.rank)
            wide[:, :, : prepared.rank] = a[0].view(columns, parts, prepared.rank).to(row.device)
            self.expand[key][slot - 1, : prepared.rank] = prepared.expand[key][0].to(row.device)

    def _widen(self, rank: int) -> None:
        """A stack of higher rank, with what was placed."""
        held = dict(self._placed)
        self.rank = next(padded for padded in POOL_RANKS if padded >= rank)
        keys = self.keys
        shapes = [shape for key in keys for shape in self.shapes(key[1], self.rank)]
        size, starts = self.extents(shapes)
        self._stack = torch.zeros(self.slots, size, dtype=self._dtype, device=self._device)
        views = [
            self._stack[:, start : start + rows * columns].view(self.slots, rows, columns)
            for start, (_, rows, columns) in zip(starts, shapes, strict=True)
        ]
        self.shrink = dict(zip(keys, views[0::2], strict=True))
        self.expand = dict(zip(keys, views[1::2], strict=True))
        for slot, adapter in held.items():
            self._copy(slot, adapter)
            self._placed[slot] = self._placed_at(slot)

    def _placed_at(self, slot: int) -> PreparedLora:
        own = slice(slot - 1, slot)
        shrink = {key: a[own] for key, a in self.shrink.items()}
        expand = {key: b[own] for key, b in self.expand.items()}
        return PreparedLora(self.rank, self._stack[slot - 1], shrink, expand, None)

    def _zeros(self, size: int) -> Tensor:
        return torch.zeros(size, dtype=self._dtype, pin_memory=self._device.type == "cuda")
