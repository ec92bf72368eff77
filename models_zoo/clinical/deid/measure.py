"""How well identifiers are found: what a redactor lets through, and what it removes without need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models_zoo.clinical.deid.generate import Example
from models_zoo.clinical.deid.scrub import Found, covered, merge


@dataclass(slots=True, frozen=True)
class Figures:
    """Of one detector on one set.

    recall     identifiers of which every letter and digit was found, over all identifiers
    precision  found letters and digits that belong to an identifier, over all found ones
    clean      texts from which nothing at all leaked, over all texts
    by_label   recall of each label
    missed     the texts of identifiers that leaked, with their labels
    """

    texts: int
    identifiers: int
    recall: float
    precision: float
    clean: float
    by_label: dict[str, float]
    missed: tuple[tuple[str, str], ...]


def measure(examples: Sequence[Example], found: Iterable[Iterable[Found]]) -> Figures:
    """Compare what was found in each text, in the same order, with what is there. Labels may differ."""
    total: Counter[str] = Counter()
    leaked: list[tuple[str, str]] = []
    right = removed = clean = 0
    for example, stretches in zip(examples, found, strict=True):
        merged = merge(example.text, stretches)
        total.update(e.label for e in example.entities)
        gone = [e for e in example.entities if not covered(e.start, e.end, example.text, merged)]
        leaked += [(e.label, example.text[e.start : e.end]) for e in gone]
        clean += not gone
        hit, all_found = _characters(example, merged)
        right, removed = right + hit, removed + all_found
    lost = Counter(label for label, _ in leaked)
    return Figures(
        texts=len(examples),
        identifiers=total.total(),
        recall=1 - len(leaked) / max(1, total.total()),
        precision=right / max(1, removed),
        clean=clean / max(1, len(examples)),
        by_label={label: round(1 - lost[label] / count, 4) for label, count in sorted(total.items())},
        missed=tuple(leaked),
    )


def counted(example: Example, found: Iterable[Found]) -> tuple[int, int, int, int, int, int]:
    """Of one text: identifiers, those that leaked, found characters that are right, all found ones, whether nothing
    leaked, and 1. Of many texts the sums are what `measure` divides."""
    merged = merge(example.text, found)
    leaked = sum(not covered(e.start, e.end, example.text, merged) for e in example.entities)
    return len(example.entities), leaked, *_characters(example, merged), int(not leaked), 1


def _characters(example: Example, merged: Sequence[Found]) -> tuple[int, int]:
    gold = {i for e in example.entities for i in range(e.start, e.end)}
    taken = [i for f in merged for i in range(f.start, f.end) if example.text[i].isalnum()]
    return sum(i in gold for i in taken), len(taken)
