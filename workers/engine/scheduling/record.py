"""What the scheduler remembers of an entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from workers.engine.scheduling.entry import E
from workers.engine.scheduling.prefix import Chain


@dataclass(slots=True, eq=False)
class Record(Generic[E]):
    """`rank` is the entry's class, one better each time it was preempted: so nobody is preempted for ever.

    `served` and `preempted` are numbers of plans, `since` when it was last served, `charged` how many of its
    tokens its organisation has paid for, `bucket` its length bucket (0 for sequences).
    `begun`: it waits for a request whose prompt was read.
    """

    entry: E
    chain: Chain
    rank: int
    bucket: int
    since: float = 0.0
    served: int = 0
    preempted: int = 0
    charged: int = 0
    admitted: bool = False
    begun: bool = False

    @property
    def remaining(self) -> int:
        """Tokens whose keys are not cached yet; all, for a text."""
        return self.entry.known() - self.entry.computed


def length_bucket(tokens: int) -> int:
    """Two buckets an octave: texts read together are padded by less than half of their length."""
    octave = tokens.bit_length()
    return 2 * octave + (tokens >= 3 << octave >> 2)
