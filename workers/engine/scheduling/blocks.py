"""Blocks of the key-value cache: who uses them, and which full ones can be found again by their content."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable


class BlockPool:
    """`count` blocks of `size` tokens, with reference counts (Kwon et al., 2023).

    A published block that nobody uses stays findable until it is needed for something else; the one unused
    for longest goes first.
    """

    def __init__(self, count: int, size: int) -> None:
        if count < 1 or size < 1:
            raise ValueError(f"a pool needs blocks and tokens in them, not {count} of {size}")
        self.count, self.size = count, size
        self._references = [0] * count
        self._empty = list(range(count - 1, -1, -1))  # the one given back last goes first: its page is taken
        self._unused: OrderedDict[int, None] = OrderedDict()  # published; longest unused first
        self._block: dict[bytes, int] = {}
        self._digest: dict[int, bytes] = {}

    @property
    def available(self) -> int:
        """Blocks that can be taken."""
        return len(self._empty) + len(self._unused)

    @property
    def used(self) -> int:
        """Blocks that somebody refers to."""
        return self.count - self.available

    @property
    def cached(self) -> int:
        """Blocks that nobody refers to and that can still be found by their content."""
        return len(self._unused)

    def references(self, block: int) -> int:
        """How many refer to the block."""
        return self._references[block]

    def needed(self, tokens: int) -> int:
        """Blocks that so many tokens fill or begin."""
        return -(-tokens // self.size)

    def take(self) -> int:
        """A block of one's own, of unknown content. `MemoryError` when none is available."""
        if self._empty:
            block = self._empty.pop()
        elif self._unused:
            block, _ = self._unused.popitem(last=False)
            del self._block[self._digest.pop(block)]
        else:
            raise MemoryError("every block of the key-value cache is in use")
        self._references[block] = 1
        return block

    def share(self, block: int) -> None:
        """One more refers to a block that is in use, or that `find` gave."""
        if not self._references[block]:
            del self._unused[block]
        self._references[block] += 1

    def release(self, blocks: Iterable[int]) -> None:
        """One less refers to each. The ends of sequences are evicted before their beginnings."""
        for block in reversed(list(blocks)):
            if not self._references[block]:
                raise ValueError(f"block {block} is not in use")
            self._references[block] -= 1
            if not self._references[block]:
                self._retire(block)

    def _retire(self, block: int) -> None:
        if block in self._digest:
            self._unused[block] = None
        else:
            self._empty.append(block)

    def find(self, digest: bytes) -> int | None:
        """The block with this content."""
        return self._block.get(digest)

    def publish(self, block: int, digest: bytes) -> None:
        """Make a full block findable. A second block of equal content stays its owner's alone."""
        if digest not in self._block:
            self._block[digest] = block
            self._digest[block] = digest
