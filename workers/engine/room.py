"""Device slots and host memory: who has them, and who must give them up. Not thread-safe: under residency's lock."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from itertools import count
from typing import Generic

from workers.engine.catalogue import Catalogue
from workers.engine.known import Weights
from workers.engine.slots import SlotTable
from workers.engine.turns import Turns

logger = logging.getLogger(__name__)


class Room(Generic[Weights]):
    """The slots and the `memory_bytes` that the adapters in `known` share.

    `place(slot, weights)` and `clear(slot)` change what is on the device; `arrived(slot)` tells whether what was
    placed is there.
    """

    def __init__(
        self,
        known: Catalogue[Weights],
        turns: Turns,
        place: Callable[[int, Weights], None],
        arrived: Callable[[int], bool],
        clear: Callable[[int], None],
        slots: int,
        memory_bytes: int,
    ) -> None:
        self.slots, self.memory_bytes = slots, memory_bytes
        self._known, self._turns, self._place, self._clear = known, turns, place, clear
        self._arrived = arrived
        self._coming: set[str] = set()  # placed, and nobody has held them since
        self._table = SlotTable(slots)
        self._filled: set[int] = set()  # slots with weights in them
        self._placed = count(1)

    # --- slots --------------------------------------------------------------------------------------------

    def slot(self, name: str) -> int | None:
        """The slot an adapter sits in, if it does."""
        return self._table.slot(name)

    def full(self) -> bool:
        """Whether every slot is in use, or somebody's to keep."""
        return not self._table.vacant(self._keeps_slot)

    def seat(self, name: str, weights: Weights) -> int | None:
        """The adapter's slot, in use until `leave`; None while it is on its way there, or others use all slots, of
        whom one gives way after a while. Raises what `place` raises."""
        taken = self._table.pin(name, keep=self._keeps_slot)
        if taken is None:
            self._ask_for_slot(name)
            return None
        slot, is_new = taken
        if is_new:
            self._fill(name, slot, weights)
            self._known[name].placed = next(self._placed)
            self._coming.add(name)
        if name in self._coming and not self._arrived(slot):
            self._table.unpin(name)
            return None
        self._coming.discard(name)
        return slot

    def settle_in(self, name: str) -> bool:
        """Put an adapter that is pinned into a slot before it is asked for; whether nothing is left to do for that."""
        one = self._known.get(name)
        if one is None or one.leaving or not one.pinned or self._table.slot(name) is not None:
            return True
        if one.weights is None or self.full():
            return False
        if self.seat(name, one.weights) is not None:
            self.leave(name)
        return True

    def leave(self, name: str) -> None:
        """One who used the adapter is done; it stays in its slot until the slot is needed."""
        self._table.unpin(name)

    def empty(self, name: str) -> None:
        """Take the adapter, which nobody uses, from its slot if it has one."""
        slot = self._table.slot(name)
        self._coming.discard(name)
        if slot is not None:
            self._table.remove(name)
            if slot in self._filled:
                self._filled.discard(slot)
                try:
                    self._clear(slot)
                except Exception:  # the slot is free: what comes next replaces what is there
                    logger.exception("slot %d could not be cleared", slot)

    def _keeps_slot(self, name: str) -> bool:
        one = self._known[name]
        expected = name in self._coming and one.wanted > 0 and not self._turns.gives_way(name)
        return expected or (one.pinned and self.slots > 1)

    def _fill(self, name: str, slot: int, weights: Weights) -> None:
        """Put weights into a slot; if that fails, nobody sits there."""
        try:
            self._place(slot, weights)
            self._filled.add(slot)
        except Exception:
            self._table.unpin(name)
            self.empty(name)
            raise

    def _ask_for_slot(self, name: str) -> None:
        """All slots are in use. Who has waited longest asks, after a while, that the adapter that came to its own
        first give way: others' turns come with the slots that become free meanwhile."""
        if self._turns.refused(name, time.monotonic()) and name == self._turns.first():
            asked = self._turns.giving_way_for(name)
            if not any(self._table.slot(one) is not None for one in asked):
                for victim in self._in_use(self._keeps_slot)[:1]:
                    self._turns.give_way(victim, name)

    # --- memory -------------------------------------------------------------------------------------------

    def make(self, needed: int, in_slots: bool = True, waiting: str | None = None) -> bool:
        """Let idle adapters go to disk until `needed` more bytes fit; whether they do. One that is `waiting` for
        too long may displace those that are only asked for, but none that was asked for before it and takes new
        requests: what is read first is used first."""
        asking = math.inf if waiting is None else self._known[waiting].since
        for name, one in list(self._known.inside.items()):
            if self.fits(needed):
                return True
            if one.weights is None or one.pinned or self._table.in_use(name):
                continue
            asked = (
                one.wanted and one.since <= asking and (waiting is None or not self._turns.gives_way(name))
            )
            if not asked and (in_slots or self._table.slot(name) is None):
                self.empty(name)
                self._known.drop(name)
        return self.fits(needed)

    def gone(self, name: str) -> bool:
        """Whether the adapter has left memory, or is to stay; one that is in use has not yet."""
        one = self._known.get(name)
        if one is None or one.pinned or (one.weights is None and not one.loading):
            return True
        if one.wanted or one.loading or self._table.in_use(name):
            return False
        self.empty(name)
        self._known.drop(name)
        return True

    def fits(self, needed: int) -> bool:
        """Whether so many bytes are free."""
        return self._known.used + needed <= self.memory_bytes

    def ask(self, name: str, needed: int) -> None:
        """Memory is in use. Adapters give way, those that came first first, until there will be enough."""
        lacking = self._known.used + needed - self.memory_bytes
        lacking -= sum(
            one.bytes
            for other, one in self._known.inside.items()
            if self._turns.gives_way(other) and one.weights
        )
        for victim in self._in_use(lambda other: self._known[other].pinned):
            if lacking > 0:
                self._turns.give_way(victim, name)
                lacking -= self._known[victim].bytes

    def _in_use(self, keep: Callable[[str], bool]) -> list[str]:
        """Adapters that could give way and do not yet, the one longest in its slot first."""
        names = [name for name in self._table.used() if not (keep(name) or self._turns.gives_way(name))]
        return sorted(names, key=lambda name: self._known[name].placed)
