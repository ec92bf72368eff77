"""Adapters that are kept on the device whatever else is asked for. Not thread-safe: under residency's lock."""

from __future__ import annotations

import logging
from typing import Generic

from workers.engine.catalogue import Catalogue
from workers.engine.known import Known, Weights
from workers.engine.protocol import EngineError
from workers.engine.room import Room

logger = logging.getLogger(__name__)


class Pins(Generic[Weights]):
    """What may be pinned, and what of it has still to come to its slot: `to_settle`."""

    def __init__(self, known: Catalogue[Weights], room: Room[Weights]) -> None:
        self._known, self._room = known, room
        self.to_settle: set[str] = set()

    def check(self, name: str, chosen: Known[Weights]) -> None:
        """Raise `EngineError` when with it the pinned ones would leave no slot for the others, or no room for the
        largest of them."""
        kept = [one for _, one in self._known.items() if one.pinned or one is chosen]
        if len(kept) >= self._room.slots > 1:
            told = f"{len(kept)} pinned ones would fill all {self._room.slots} slots"
            raise EngineError(f"adapter {name} cannot be pinned: {told}")
        largest = max(
            (one.bytes for _, one in self._known.items() if not (one.pinned or one is chosen)), default=0
        )
        if sum(one.bytes for one in kept) + largest > self._room.memory_bytes:
            raise EngineError(f"adapter {name} cannot be pinned: no room would be left for the others")

    def settle_in(self) -> None:
        """Put the pinned ones that are in memory into slots, as far as slots are free: before they are asked for."""
        for name in list(self.to_settle):
            try:
                settled = self._room.settle_in(name)
            except Exception:  # it stays in memory; who asks for it hears of it
                logger.exception("adapter %s could not be put on the device", name)
                settled = True
            if settled:
                self.to_settle.discard(name)
