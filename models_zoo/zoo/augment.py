"""The same text as other people type it: other case, no punctuation, slips of the finger."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from random import Random

from models_zoo.zoo.files import Row

NEAR = {
    "a": "sqw", "b": "vgn", "c": "xvd", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht", "h": "gjy", "i": "uok",
    "j": "hku", "k": "jli", "l": "ko", "m": "nj", "n": "bmh", "o": "ipl", "p": "ol", "q": "wa", "r": "etf",
    "s": "adw", "t": "ryg", "u": "yij", "v": "cbf", "w": "qes", "x": "zcs", "y": "tuh", "z": "xa",
}  # fmt: skip
TYPOS_EVERY = 40  # characters to a slip
_PUNCTUATION = re.compile(r"[.,!?;:'’]+")


def typos(text: str, random: Random) -> str:
    """A slip for every `TYPOS_EVERY` characters, at least one: a letter left out, doubled, swapped or missed."""
    letters = list(text)
    for _ in range(max(1, len(text) // TYPOS_EVERY)):
        places = [at for at, letter in enumerate(letters) if letter.lower() in NEAR]
        if not places:
            break
        at = random.choice(places)
        letters[at : at + 1] = _slip(letters, at, random)
    return "".join(letters)


def _slip(letters: list[str], at: int, random: Random) -> list[str]:
    letter = letters[at]
    kind = random.randrange(4)
    if kind == 0:
        return []
    if kind == 1:
        return [letter, letter]
    if kind == 2 and at + 1 < len(letters):
        letters[at + 1], swapped = letter, letters[at + 1]
        return [swapped]
    return [random.choice(NEAR[letter.lower()])]


WAYS: tuple[Callable[[str, Random], str], ...] = (
    typos,
    typos,
    lambda text, _: text.lower(),
    lambda text, _: text.upper(),
    lambda text, _: _PUNCTUATION.sub("", text),
    lambda text, random: typos(_PUNCTUATION.sub("", text.lower()), random),
)


def retyped(rows: Iterable[Row], share: float, random: Random) -> Iterator[Row]:
    """Every row, and after a share of them the same typed otherwise. For texts without spans."""
    for row in rows:
        yield row
        if random.random() < share:
            text = random.choice(WAYS)(row["text"], random)
            if text.strip():
                yield {**row, "text": text}


def recased(row: Row, share: float, random: Random) -> Row:
    """A share of texts with spans wholly in lower or upper case; never where offsets would move."""
    if random.random() >= share:
        return row
    text = random.choice((row["text"].lower(), row["text"].upper()))
    return row if len(text) != len(row["text"]) else {**row, "text": text}
