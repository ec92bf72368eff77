"""Block tables: which blocks hold which entry's keys."""

from __future__ import annotations

from typing import Generic

from workers.engine.scheduling.blocks import BlockPool
from workers.engine.scheduling.entry import E
from workers.engine.scheduling.record import Record


class Tables(Generic[E]):
    """Gives blocks to entries and takes them back. `asked` and `found` count prompt tokens at first
    admissions: all, and those that the prefix cache had."""

    def __init__(self, pool: BlockPool) -> None:
        self.pool = pool
        self.asked = self.found = 0
        self._copies: dict[int, int] = {}  # target -> source, to be made; a source is held until it was
        self._taken: dict[int, int] = {}  # being made

    def match(self, record: Record[E]) -> list[int]:
        """The longest cached beginning; its last token is always left to compute, for its logits."""
        entry, blocks = record.entry, []
        for index in range((entry.known() - 1) // self.pool.size):
            block = self.pool.find(record.chain.digest(index, entry.tokens))
            if block is None:
                break
            blocks.append(block)
        return blocks

    def missing(self, record: Record[E], found: list[int]) -> int:
        """Available blocks that seating the entry takes: those it lacks, and found ones nobody uses."""
        unused = sum(not self.pool.references(block) for block in found)
        return self.pool.needed(record.entry.known()) - len(found) + unused

    def seat(self, record: Record[E], found: list[int]) -> None:
        """Give a waiting entry blocks for all it knows."""
        entry = record.entry
        for block in found:
            self.pool.share(block)
        entry.blocks, entry.computed = list(found), len(found) * self.pool.size
        self.grow(entry, entry.known())
        if not record.admitted:
            record.admitted = True
            entry.cached = entry.computed
            self.asked += entry.known()
            self.found += entry.cached

    def grow(self, entry: E, tokens: int) -> None:
        """Give it blocks for so many tokens."""
        while len(entry.blocks) < self.pool.needed(tokens):
            entry.blocks.append(self.pool.take())

    def computed(self, record: Record[E], stop: int) -> None:
        """The keys before `stop` are cached now; full blocks can be found from here on."""
        entry = record.entry
        for index in range(entry.computed // self.pool.size, stop // self.pool.size):
            self.pool.publish(entry.blocks[index], record.chain.digest(index, entry.tokens))
        entry.computed = stop

    def give_back(self, entry: E) -> None:
        """Take the entry's blocks away."""
        for block in entry.blocks:
            for copies in (self._copies, self._taken):
                if block in copies and self.pool.references(block) == 1:
                    self.pool.release([copies.pop(block)])
        self.pool.release(entry.blocks)
        entry.blocks, entry.computed = [], 0

    def freed(self, entry: E, found: list[int]) -> int:
        """How many blocks would become available without it, besides those `found` for another."""
        return sum(self.pool.references(block) == 1 and block not in found for block in entry.blocks)

    def short(self, entry: E, tokens: int) -> bool:
        """Whether the pool lacks the blocks that the entry needs for so many tokens."""
        return self.pool.needed(tokens) - len(entry.blocks) > self.pool.available

    def fork(self, parent: E, child: E) -> list[tuple[int, int]] | None:
        """The child shares what the parent has computed; a partly filled last block is copied."""
        full, rest = divmod(parent.computed, self.pool.size)
        if rest and not self.pool.available:
            return None
        child.blocks, child.computed = parent.blocks[:full], parent.computed
        for block in child.blocks:
            self.pool.share(block)
        if not rest:
            return []
        last = parent.blocks[full]
        source, target = self._copies.get(last, last), self.pool.take()
        self.pool.share(source)
        self._copies[target] = source
        child.blocks.append(target)
        return [(source, target)]

    def take_copies(self) -> list[tuple[int, int]]:
        """The copies of forks since the last call, to be run before anything is written. Their sources are
        held until `settle_copies` or the next call."""
        self.settle_copies()
        self._taken, self._copies = self._copies, {}
        return [(source, target) for target, source in self._taken.items()]

    def settle_copies(self, again: bool = False) -> None:
        """The copies that were taken are made, or are to be made `again`."""
        if again:
            self._copies |= self._taken
        else:
            self.pool.release(self._taken.values())
        self._taken = {}

    @property
    def settling(self) -> bool:
        """Whether copies hold blocks that will be available after the step."""
        return bool(self._taken)
