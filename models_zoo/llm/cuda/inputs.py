"""From the packed batch to the device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models_zoo.llm.cuda.pack import Packed

IN_FLIGHT = 4  # host buffers whose copies may be under way at once
FIRST_SIZE = 1 << 16  # int32


@dataclass(slots=True, frozen=True)
class Inputs:
    """Views of one int32 tensor on the device, see `pack`."""

    tokens: Tensor
    positions: Tensor
    slots: Tensor
    bases: Tensor
    tiles: Tensor
    paged: Tensor
    own: Tensor
    tables: Tensor


class Staging:
    """Pinned host buffers, used in turn, and the resident tensor that graphs read."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._host = [torch.empty(0, dtype=torch.int32) for _ in range(IN_FLIGHT)]
        self._copied = [torch.cuda.Event() for _ in range(IN_FLIGHT)]  # type: ignore[no-untyped-call]
        self._turn = 0
        self._resident = torch.empty(FIRST_SIZE, dtype=torch.int32, device=device)

    @property
    def address(self) -> int:
        """Of what `resident` fills."""
        return self._resident.data_ptr()

    def fresh(self, packed: Packed) -> Inputs:
        """The batch in memory of its own."""
        target = torch.empty(len(packed.data), dtype=torch.int32, device=self._device)
        self._copy(packed, target)
        return _views(packed, target)

    def resident(self, packed: Packed) -> Inputs:
        """The batch where graphs read it."""
        if len(packed.data) > len(self._resident):
            self._resident = self._resident.new_empty(2 * len(packed.data))
        self._copy(packed, self._resident[: len(packed.data)])
        return _views(packed, self._resident)

    def _copy(self, packed: Packed, target: Tensor) -> None:
        self._turn = (self._turn + 1) % IN_FLIGHT
        self._copied[self._turn].synchronize()
        if len(self._host[self._turn]) < len(packed.data):
            size = max(FIRST_SIZE, 2 * len(packed.data))
            self._host[self._turn] = torch.empty(size, dtype=torch.int32, pin_memory=True)
        source = self._host[self._turn][: len(packed.data)]
        source.numpy()[:] = packed.data
        target.copy_(source, non_blocking=True)
        self._copied[self._turn].record()


def _views(packed: Packed, data: Tensor) -> Inputs:
    views = {}
    for name, (start, shape) in packed.extent.sections().items():
        size = int(torch.Size(shape).numel())
        views[name] = data[start:] if name == "tables" else data[start : start + size].view(shape)
    return Inputs(**views)
