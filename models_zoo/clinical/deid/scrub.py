"""Joining what several detectors found into one set of redactions, and taking it out of the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models_zoo.clinical.deid.labels import Label

# When detectors disagree about the same characters, the label further left names the redaction.
_PRIORITY = (Label.ID, Label.CONTACT, Label.NAME, Label.LOCATION, Label.ORGANISATION, Label.DATE, Label.AGE)
_RANK = {label.value: rank for rank, label in enumerate(_PRIORITY)}
# Between two pieces of one name, date or address; a line break ends it.
_GLUE = re.compile(r"[ \t]*[,.'-]?[ \t]*")


@dataclass(slots=True, frozen=True)
class Found:
    """A stretch that a detector takes for an identifier: character offsets, end exclusive."""

    start: int
    end: int
    label: str
    source: str


@dataclass(slots=True, frozen=True)
class Redaction:
    """A piece of the SCRUBBED text that stands for something removed: its offsets there, and what it was."""

    start: int
    end: int
    label: str
    sources: tuple[str, ...]


@dataclass(slots=True, frozen=True)
class Scrubbed:
    """A text without its identifiers. The removed characters are nowhere in here."""

    text: str
    redactions: tuple[Redaction, ...]


def merge(text: str, found: Iterable[Found]) -> list[Found]:
    """Disjoint stretches in order that cover everything found.

    A stretch that cuts a word is widened to the whole word: half a name left over still names somebody.
    Overlapping ones become one, and so do neighbours of one label with nothing but a blank or a comma
    between. `source` of a joined stretch lists its detectors, comma-separated and sorted. Offsets outside
    the text are clipped; empty ones are dropped.
    """
    stretches = sorted(
        (_whole_words(text, f) for f in found if _inside(text, f)), key=lambda f: (f.start, -f.end)
    )
    merged: list[Found] = []
    for stretch in stretches:
        if merged and _belongs(text, merged[-1], stretch):
            merged[-1] = _join(merged[-1], stretch)
        else:
            merged.append(stretch)
    return merged


def scrub(text: str, found: Iterable[Found]) -> Scrubbed:
    """Replace everything found by `[LABEL]`; the rest of the text is kept character for character."""
    pieces: list[str] = []
    redactions: list[Redaction] = []
    at = length = 0
    for stretch in merge(text, found):
        placeholder = f"[{stretch.label}]"
        pieces += [text[at : stretch.start], placeholder]
        start = length + stretch.start - at
        length, at = start + len(placeholder), stretch.end
        redactions.append(Redaction(start, length, stretch.label, tuple(stretch.source.split(","))))
    pieces.append(text[at:])
    return Scrubbed("".join(pieces), tuple(redactions))


def covered(start: int, end: int, text: str, stretches: Sequence[Found]) -> bool:
    """Whether every letter and digit of text[start:end] lies in one of the stretches."""
    open_places = {i for i in range(start, end) if text[i].isalnum()}
    for stretch in stretches:
        open_places.difference_update(range(stretch.start, stretch.end))
    return not open_places


def _inside(text: str, found: Found) -> bool:
    return max(found.start, 0) < min(found.end, len(text))


def _whole_words(text: str, found: Found) -> Found:
    start, end = max(found.start, 0), min(found.end, len(text))
    while start > 0 and text[start].isalnum() and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
        end += 1
    return Found(start, end, found.label, found.source)


def _belongs(text: str, left: Found, right: Found) -> bool:
    if right.start < left.end:
        return True
    return left.label == right.label and _GLUE.fullmatch(text, left.end, right.start) is not None


def _join(left: Found, right: Found) -> Found:
    label = min((left, right), key=lambda f: _RANK.get(f.label, len(_RANK))).label
    sources = sorted({*left.source.split(","), *right.source.split(",")})
    return Found(left.start, max(left.end, right.end), label, ",".join(sources))
