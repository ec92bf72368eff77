"""Texts that are the same, or nearly: MinHash (Broder, 1997) over pieces of five characters, in bands of rows."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

PIECE = 5  # characters
BANDS, BAND_ROWS = (
    16,
    4,
)  # texts that share half of their pieces are found with a chance of .64, four fifths with .9998
SHORTEST = 20  # characters of what is compared: below, texts are alike by accident
COMPARED = 8  # texts of one bucket: what follows a template must not be compared with all of its like
_WORDS = re.compile(r"\w+")
_FACTORS = np.random.default_rng(7).integers(
    1, 1 << 63, (2, BANDS * BAND_ROWS, 1), dtype=np.uint64
) | np.uint64(1)

Pieces = NDArray[np.uint64]
Band = tuple[int, bytes]


def normal(text: str) -> str:
    """The text's words in lower case: what differs in spaces, case or punctuation alone is the same."""
    return " ".join(_WORDS.findall(text.casefold()))


def fingerprint(text: str) -> bytes:
    """Of a text in its normal form."""
    return hashlib.blake2b(normal(text).encode(errors="replace"), digest_size=12).digest()


def pieces_of(text: str) -> Pieces:
    """Hashes of a normal text's pieces, uint64 [P], sorted, each once."""
    letters = np.frombuffer(text.encode("utf-32-le", errors="replace"), dtype=np.uint32).astype(np.uint64)
    found = np.zeros(max(1, len(letters) - PIECE + 1), dtype=np.uint64)
    for place in range(min(PIECE, len(letters))):
        found = found * np.uint64(0x100000001B3) + letters[place : place + len(found)]
    return np.unique(found)


def signature(pieces: Pieces) -> NDArray[np.uint64]:
    """The least of each hash over the pieces, uint64 [BANDS * BAND_ROWS]."""
    mixed = (pieces ^ (pieces >> np.uint64(29))) * _FACTORS[0] + _FACTORS[1]
    least: NDArray[np.uint64] = (mixed >> np.uint64(16)).min(axis=1)
    return least


def similarity(one: Pieces, other: Pieces) -> float:
    """The share of pieces that both have (Jaccard)."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)


@dataclass(slots=True)
class Index:
    """Texts by what they are like. Short ones are left out: they are alike by accident."""

    _pieces: dict[int, Pieces] = field(default_factory=dict)
    _buckets: dict[Band, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, number: int, text: str) -> None:
        """Put a normal text under a number."""
        if len(text) >= SHORTEST:
            pieces = pieces_of(text)
            self._put(number, pieces, list(_bands(pieces)))

    def most_like(self, text: str, least: float) -> tuple[int, float] | None:
        """The number of the text that is most like a normal one, and how much; None: none by at least `least`."""
        if len(text) < SHORTEST:
            return None
        pieces = pieces_of(text)
        return self._most_like(pieces, list(_bands(pieces)), least)

    def meet(self, number: int, text: str, least: float) -> tuple[int, float] | None:
        """`most_like`, and then `add`."""
        if len(text) < SHORTEST:
            return None
        pieces = pieces_of(text)
        bands = list(_bands(pieces))
        found = self._most_like(pieces, bands, least)
        self._put(number, pieces, bands)
        return found

    def _put(self, number: int, pieces: Pieces, bands: Sequence[Band]) -> None:
        self._pieces[number] = pieces
        for band in bands:
            if len(self._buckets[band]) < COMPARED:
                self._buckets[band].append(number)

    def _most_like(self, pieces: Pieces, bands: Sequence[Band], least: float) -> tuple[int, float] | None:
        some = {number for band in bands for number in self._buckets.get(band, ())}
        likes = ((similarity(pieces, self._pieces[number]), -number) for number in some)
        best, number = max(likes, default=(0.0, 0))
        return (-number, best) if best >= least else None


def _bands(pieces: Pieces) -> Iterator[Band]:
    rows: Sequence[NDArray[np.uint64]] = np.split(signature(pieces), BANDS)
    for band, row in enumerate(rows):
        yield band, row.tobytes()
