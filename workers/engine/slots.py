"""Which adapter sits in which device slot: least recently used goes first, one in use never. Plain Python."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable


class SlotTable:
    """Slots 1 .. `slots` and the adapters in them. Not thread-safe: owned by the engine thread."""

    def __init__(self, slots: int) -> None:
        self._free = list(range(slots, 0, -1))
        self._slot: OrderedDict[str, int] = OrderedDict()  # least recently used first
        self._pins: dict[str, int] = {}

    def slot(self, adapter: str) -> int | None:
        """The slot an adapter sits in, if it does."""
        return self._slot.get(adapter)

    def in_use(self, adapter: str) -> int:
        """How many requests use the adapter."""
        return self._pins.get(adapter, 0)

    def used(self) -> list[str]:
        """The adapters in use."""
        return list(self._pins)

    def vacant(self, keep: Callable[[str], bool] = lambda adapter: False) -> bool:
        """Whether an adapter that has no slot could have one."""
        return bool(self._free) or self._idle(keep) is not None

    def pin(
        self, adapter: str, keep: Callable[[str], bool] = lambda adapter: False
    ) -> tuple[int, bool] | None:
        """Take the adapter into use: its slot, and whether its weights must be put there first.

        None when every slot is in use by other adapters, or theirs to keep.
        """
        new = adapter not in self._slot
        if new and not self._take_slot(adapter, keep):
            return None
        self._slot.move_to_end(adapter)
        self._pins[adapter] = self.in_use(adapter) + 1
        return self._slot[adapter], new

    def unpin(self, adapter: str) -> None:
        """A request is done with the adapter; it stays in its slot until the slot is needed."""
        self._pins[adapter] -= 1
        if not self._pins[adapter]:
            del self._pins[adapter]

    def remove(self, adapter: str) -> None:
        """Give the adapter's slot back. It must not be in use."""
        if self.in_use(adapter):
            raise ValueError(f"{adapter} is in use")
        slot = self._slot.pop(adapter, None)
        if slot is not None:
            self._free.append(slot)

    def _take_slot(self, adapter: str, keep: Callable[[str], bool]) -> bool:
        if not self._free:
            idle = self._idle(keep)
            if idle is None:
                return False
            self.remove(idle)
        self._slot[adapter] = self._free.pop()
        return True

    def _idle(self, keep: Callable[[str], bool]) -> str | None:
        """The least recently used of those that can be replaced."""
        return next((name for name in self._slot if not (self.in_use(name) or keep(name))), None)
