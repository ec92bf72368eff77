"""What the readers of tables share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_COLUMNS = 256
MAX_CELL = 1 << 20  # characters


class Refused(Exception):
    """The file cannot be read; the words are for the person who uploaded it."""


@dataclass(slots=True, frozen=True)
class Table:
    """columns: the names that can be read. unread: why others cannot, by name. rows: (where, {column: JSON value}), or
    (where, why it cannot be read)."""

    columns: list[str]
    unread: dict[str, str]
    rows: Iterator[tuple[str, dict[str, Any] | str]]


def names_checked(names: list[str]) -> list[str]:
    """The names of columns; one without a name is called by its place. Raises `Refused`."""
    if len(names) > MAX_COLUMNS:
        raise Refused(f"has {len(names)} columns, at most {MAX_COLUMNS} are read")
    found = [name.strip() or f"column {place}" for place, name in enumerate(names, start=1)]
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise Refused(f"has two columns called {twice[:64]}")
    if not found:
        raise Refused("has no columns")
    return found
