"""What one forward pass reads: runs of tokens of many sequences, laid end to end, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models_zoo.llm.card import BaseConfig
    from models_zoo.llm.paged import PagedCache


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


def check_segments(config: BaseConfig, segments: Sequence[Segment], cache: PagedCache | None) -> None:
    """What would make a kernel read or write memory that is not ours is a `ValueError` naming the field."""
    tokens = list(chain.from_iterable(segment.tokens for segment in segments))
    low, high = min(tokens), max(tokens)
    if not 0 <= low <= high < config.vocabulary:
        raise ValueError(f"segment.tokens: expected ids below {config.vocabulary}, found {high}")
    for segment in segments:
        stop = segment.start + len(segment.tokens)
        if stop > config.context:
            raise ValueError(f"segment.start: position {stop - 1} is beyond the context of {config.context}")
        if segment.blocks is None:
            if segment.start:
                raise ValueError(f"segment.start is {segment.start}, expected 0 without a block table")
            continue
        if cache is None:
            raise ValueError("segment.blocks is a block table, expected None without a cache")
        if len(segment.blocks) * cache.block_size < stop:
            raise ValueError(f"segment.blocks has {len(segment.blocks)} blocks, too few for {stop} tokens")
    blocks = list(chain.from_iterable(segment.blocks or () for segment in segments))
    if cache is not None and blocks and not 0 <= min(blocks) <= max(blocks) < cache.blocks:
        raise ValueError(f"segment.blocks: expected block numbers below {cache.blocks}")
