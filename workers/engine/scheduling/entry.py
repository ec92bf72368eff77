"""What the scheduler is given, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Entry(Protocol):
    """A piece of work: a sequence that is written on, or a text that a head reads.

    `blocks`, `computed` and `cached` are the scheduler's: the block table, how many tokens have their keys in
    it, and how many tokens of the prompt the first admission found in the prefix cache. Tokens are only ever
    added at the end. Entries are told apart by identity.
    """

    blocks: list[int]
    computed: int
    cached: int

    @property
    def organisation(self) -> str: ...

    @property
    def adapter(self) -> str | None: ...  # with its digest: it names the content

    @property
    def priority(self) -> int: ...  # 0 goes first

    @property
    def deadline(self) -> float | None: ...  # Unix seconds

    @property
    def arrived(self) -> float: ...  # time.monotonic()

    @property
    def cancelled(self) -> bool: ...

    @property
    def ready(self) -> bool: ...  # False: not to be scheduled now; a running one keeps its blocks

    @property
    def whole(self) -> bool: ...  # read in one piece, without the cache

    def known(self) -> int: ...  # tokens so far: prompt and generated

    def tokens(self, start: int, stop: int) -> list[int]: ...


E = TypeVar("E", bound=Entry)


@dataclass(slots=True)
class Piece(Generic[E]):
    """Tokens `start` .. `start + count` of an entry. Reaching `known()`, its last row is sampled from."""

    entry: E
    start: int
    count: int


@dataclass(slots=True)
class Step(Generic[E]):
    """One pass of the device; with no pieces only the rest is to be done.

    `copies` (source block, target block) come before the pass. `preempted` gave their blocks back and wait;
    `failed` grew beyond all blocks and are gone. Neither is among the pieces, nor holds its adapter any more.
    """

    pieces: list[Piece[E]] = field(default_factory=list)
    copies: list[tuple[int, int]] = field(default_factory=list)
    preempted: list[E] = field(default_factory=list)
    failed: list[E] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.pieces or self.copies or self.preempted or self.failed)
