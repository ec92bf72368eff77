"""Names of contents: the digest of a full block covers all tokens up to its end, and whose they are."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from hashlib import blake2b

DIGEST_BYTES = 16


class Chain:
    """Digests of one sequence's full blocks, made when asked for.

    Organisation and adapter begin the chain, so that nothing is ever shared across either.
    """

    def __init__(self, organisation: str, adapter: str | None, block_size: int) -> None:
        salt = json.dumps([organisation, adapter]).encode()
        self._digests = [blake2b(salt, digest_size=DIGEST_BYTES).digest()]
        self._size = block_size

    def digest(self, index: int, tokens: Callable[[int, int], list[int]]) -> bytes:
        """The name of full block `index`; `tokens(start, stop)` gives the sequence's tokens."""
        for block in range(len(self._digests) - 1, index + 1):
            content = array("I", tokens(block * self._size, (block + 1) * self._size)).tobytes()
            self._digests.append(blake2b(self._digests[-1] + content, digest_size=DIGEST_BYTES).digest())
        return self._digests[index + 1]

    def branch(self, blocks: int) -> Chain:
        """The chain of a sequence that shares the first `blocks` full blocks."""
        other = Chain.__new__(Chain)
        other._digests = self._digests[: blocks + 1]
        other._size = self._size
        return other
