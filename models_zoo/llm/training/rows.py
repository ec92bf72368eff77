"""Packing: several examples in one row, so that rows are of like length and little of a batch is padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models_zoo.llm.training.data import Example

LOOK_BACK = 64  # rows with room that an example is tried in


@dataclass(slots=True)
class _Row:
    parts: list[Example] = field(default_factory=list)
    tokens: int = 0


def pack(examples: Sequence[Example], most: int) -> list[Example]:
    """The examples in as few rows of at most `most` tokens as best fit, the longest first, finds.

    None sees another there (see `packing.Layout`), so that a row's loss is the sum of theirs.
    """
    rows: list[_Row] = []
    open_rows: list[_Row] = []
    for example in sorted(examples, key=lambda one: -len(one.ids)):
        fitting = [row for row in open_rows if row.tokens + len(example.ids) <= most]
        row = max(fitting, key=lambda one: one.tokens, default=None)
        if row is None:
            row = _Row()
            rows.append(row)
            open_rows = [*open_rows, row][-LOOK_BACK:]
        row.parts.append(example)
        row.tokens += len(example.ids)
    return [_joined(row.parts) for row in rows]


def _joined(parts: Sequence[Example]) -> Example:
    if len(parts) == 1:
        return parts[0]
    ids: list[int] = []
    targets: list[int] = []
    positions: list[int] = []
    for part in parts:
        positions += [len(ids) + position for position in part.positions]
        ids += part.ids
        targets += part.targets
    return Example(ids, targets, positions, parts[0].document, tuple(len(part.ids) for part in parts))
