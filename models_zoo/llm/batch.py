"""What one forward pass reads: runs of tokens of many sequences, laid end to end, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Segment:
    """Consecutive tokens of one sequence.

    `start` is the position of the first. `blocks` is the sequence's block table in the paged cache: the
    keys of position p are in block `blocks[p // block_size]`, and everything before `start` is there
    already; None reads the tokens whole, without a cache. `bidirectional` (without a cache only) lets every
    token see all others. `slot` is the adapter's device slot, 0 for the base alone.
    """

    tokens: Sequence[int]
    start: int = 0
    blocks: Sequence[int] | None = None
    bidirectional: bool = False
    slot: int = 0
