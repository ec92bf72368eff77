"""What the engine does next, and whose keys lie in which block of the cache. Plain Python, no torch."""

from workers.engine.scheduling.blocks import BlockPool
from workers.engine.scheduling.entry import Entry, Piece, Step
from workers.engine.scheduling.limits import Limits
from workers.engine.scheduling.scheduler import Scheduler

__all__ = ["BlockPool", "Entry", "Limits", "Piece", "Scheduler", "Step"]
