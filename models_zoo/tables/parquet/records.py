"""Columns back to rows with lists and groups in them (Melnik et al., 2010: Dremel)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models_zoo.tables.common import Refused
from models_zoo.tables.parquet.pages import Entry
from models_zoo.tables.parquet.schema import REPEATED, Node

Columns = Mapping[int, Sequence[Entry]]  # by leaf


def records(node: Node, columns: Columns, rows: int) -> Iterator[Any]:
    """The value of a column of the top in each row. Raises `Refused`."""
    parts = {leaf.leaf: _split(columns[leaf.leaf], 0) for leaf in node.leaves()}
    if any(len(each) != rows for each in parts.values()):
        raise Refused("is damaged: its columns have unequal lengths")
    for row in range(rows):
        yield _value(node, {leaf: each[row] for leaf, each in parts.items()})


def _split(entries: Sequence[Entry], level: int) -> list[Sequence[Entry]]:
    """Cut before each entry that begins anew at this level or an outer one."""
    starts = [at for at, entry in enumerate(entries) if at == 0 or entry[0] <= level]
    return [entries[start:end] for start, end in zip(starts, [*starts[1:], len(entries)], strict=True)]


def _value(node: Node, columns: Columns) -> Any:
    first = next(iter(columns.values()))
    if not first:
        raise Refused("is damaged: its columns have unequal lengths")
    is_there = first[0][1] >= node.defined
    if node.repetition != REPEATED:
        return _inner(node, columns) if is_there else None
    if not is_there:
        return []
    parts = {leaf: _split(entries, node.repeated) for leaf, entries in columns.items()}
    count = len(next(iter(parts.values())))
    if any(len(each) != count for each in parts.values()):
        raise Refused("is damaged: its columns have unequal lengths")
    return [_inner(node, {leaf: each[at] for leaf, each in parts.items()}) for at in range(count)]


def _inner(node: Node, columns: Columns) -> Any:
    if node.kind is not None:
        return columns[node.leaf][0][2]
    found = {
        child.name: _value(child, {leaf.leaf: columns[leaf.leaf] for leaf in child.leaves()})
        for child in node.children
        if any(True for _ in child.leaves())
    }
    return _unwrapped(node, found) if node.is_list else found


def _unwrapped(node: Node, found: dict[str, Any]) -> Any:
    """A list is written as a group with one repeated group with one element."""
    [entries] = found.values() if len(found) == 1 else [None]
    if not isinstance(entries, list):
        raise Refused("is damaged: a list is not written as one")
    inner = node.children[0]
    if inner.kind is None and len(inner.children) == 1:
        return [next(iter(entry.values())) for entry in entries]
    return entries
