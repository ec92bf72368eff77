"""Two versions side by side, as lines that a page can show."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["same", "changed", "removed", "added", "skipped"]
CONTEXT = 3
MOST_LINES = 2000


@dataclass(slots=True, frozen=True)
class Line:
    """One row: the numbers and texts of both sides; a side that has no such line is empty."""

    kind: Kind
    old_number: int | None = None
    old: str = ""
    new_number: int | None = None
    new: str = ""


def lines_of(value: Any) -> list[str]:
    """Text as its lines; anything else as indented JSON."""
    text = (
        value
        if isinstance(value, str)
        else json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str)
    )
    return text.splitlines()[:MOST_LINES]


def side_by_side(old: Any, new: Any) -> list[Line]:
    """What changed, with a few lines around it; long equal stretches are one `skipped` line."""
    before, after = lines_of(old), lines_of(new)
    found: list[Line] = []
    for group in difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(CONTEXT):
        if found or group[0][1] > 0:
            found.append(Line("skipped"))
        for tag, old_from, old_to, new_from, new_to in group:
            found += _rows(tag, before, after, range(old_from, old_to), range(new_from, new_to))
    return found


def _rows(tag: str, before: list[str], after: list[str], left: range, right: range) -> Iterator[Line]:
    for place in range(max(len(left), len(right))):
        old = left[place] if place < len(left) else None
        new = right[place] if place < len(right) else None
        kind: Kind = "same" if tag == "equal" else "changed"
        if old is None:
            kind = "added"
        elif new is None:
            kind = "removed"
        yield Line(
            kind,
            None if old is None else old + 1,
            "" if old is None else before[old],
            None if new is None else new + 1,
            "" if new is None else after[new],
        )
