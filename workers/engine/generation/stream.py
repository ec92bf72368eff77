"""A request as its caller holds it: the chunks as they come, and the end of it when nobody wants them."""

from __future__ import annotations

import queue
from collections.abc import Iterator

from workers.engine.generation.group import Group
from workers.engine.protocol import Chunk

CANCEL_POLL = 0.05  # seconds between looks at `cancelled` while no token comes


class Chunks(Iterator[Chunk]):
    """The chunks of all candidates of a request. Closed, or forgotten, it ends the request."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._ticket = group.first.ticket
        self._left = group.first.sampling.n

    def __next__(self) -> Chunk:
        """The next chunk; `EngineTimeout` past the deadline, or why the engine failed on it."""
        while self._left:
            if self._ticket.call.cancelled():
                self._ticket.cancelled = True
            try:
                item = self._group.out.get(timeout=CANCEL_POLL)
            except queue.Empty:
                continue
            if isinstance(item, Exception):
                self._left = 0
                raise item
            self._left -= item.finish_reason is not None
            return item
        raise StopIteration

    def close(self) -> None:
        """Nobody wants the rest."""
        self._ticket.cancelled = True

    __del__ = close
