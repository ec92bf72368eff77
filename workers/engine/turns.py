"""Who has waited too long for a device slot or for memory, and who gives way. Plain Python.

Adapters that are asked for without a pause would keep theirs for ever. One that waits longer than `patience_s`
names adapters that take no new requests until it is in; requests that have begun go on.
"""

from __future__ import annotations

import math


class Turns:
    """Not thread-safe. Times in seconds of any one clock."""

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self._since: dict[str, float] = {}  # when an adapter was first refused
        self._for: dict[str, str] = {}  # who gives way -> for whom

    def refused(self, adapter: str, now: float) -> bool:
        """It lacks a slot or memory; whether it has for too long."""
        return now - self._since.setdefault(adapter, now) >= self.patience_s

    def since(self, adapter: str) -> float:
        """When it was first refused; infinity if it was not."""
        return self._since.get(adapter, math.inf)

    def first(self) -> str | None:
        """Who was refused before all others: they are kept in that order."""
        return next(iter(self._since), None)

    def gives_way(self, adapter: str) -> bool:
        """Whether it takes no new requests."""
        return adapter in self._for

    def giving_way_for(self, adapter: str) -> list[str]:
        """Those who give way for it."""
        return [one for one, other in self._for.items() if other == adapter]

    def give_way(self, adapter: str, waiting: str) -> None:
        """`adapter` takes no new requests until `waiting` is served."""
        self._for[adapter] = waiting

    def served(self, adapter: str) -> None:
        """It has its slot, or nobody waits for it any more."""
        if self._since.pop(adapter, None) is not None:
            for other in self.giving_way_for(adapter):
                del self._for[other]
