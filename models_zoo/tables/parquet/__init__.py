"""Apache Parquet, as far as data sets need it: text, numbers, truth values, lists and groups of them.

Pages plain or with a dictionary, of both versions; uncompressed, Snappy or gzip.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from models_zoo.tables.common import Refused, Table, names_checked
from models_zoo.tables.parquet.pages import Budget, column_entries
from models_zoo.tables.parquet.records import records
from models_zoo.tables.parquet.schema import Node, schema_of
from models_zoo.tables.parquet.thrift import Reader, Struct

MAGIC, ENCRYPTED = b"PAR1", b"PARE"
MAX_FOOTER = 4 << 20
_SCHEMA, _GROUPS = 2, 4
_COLUMNS, _ROWS = 1, 3


def read_parquet(stream: BinaryIO, columns: Sequence[str] | None) -> Table:
    """The rows of a Parquet file. columns: those to read; None: all that can be.

    Raises `Refused`, while rows are read too.
    """
    with _damage():
        return _table(stream, columns)


@contextmanager
def _damage() -> Iterator[None]:
    """A damaged header may say anything, of any type."""
    try:
        yield
    except (TypeError, AttributeError, LookupError, ValueError, ArithmeticError):
        raise Refused("is damaged, or no Parquet file") from None


def _table(stream: BinaryIO, columns: Sequence[str] | None) -> Table:
    footer = _footer(stream)
    elements, groups = footer.get(_SCHEMA), footer.get(_GROUPS)
    if not isinstance(elements, list) or not isinstance(groups, list):
        raise Refused("is no Parquet file: its schema is missing")
    top = schema_of(elements)
    names = names_checked([node.name for node in top])
    unread = {name: node.unread for name, node in zip(names, top, strict=True) if node.unread}
    wanted = dict(zip(names, top, strict=True))
    if columns is not None:
        wanted = {name: wanted[name] for name in columns if name in wanted}
        if blocked := wanted.keys() & unread.keys():
            name = min(blocked)
            raise Refused(f"column {name[:64]} {unread[name]}")
    readable = [name for name in names if name not in unread]
    nodes = {name: node for name, node in wanted.items() if name not in unread}
    return Table(readable, unread, _rows(stream, groups, nodes))


def _footer(stream: BinaryIO) -> Struct:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(4)
    stream.seek(max(0, size - 8))
    tail = stream.read(8)
    if ENCRYPTED in (head, tail[4:]):
        raise Refused("is encrypted")
    length = int.from_bytes(tail[:4], "little")
    if size < 12 or head != MAGIC or tail[4:] != MAGIC or length > size - 12:
        raise Refused("is cut off, or no Parquet file")
    if length > MAX_FOOTER:
        raise Refused(f"has headers of more than {MAX_FOOTER >> 20} MiB")
    stream.seek(size - 8 - length)
    return Reader(stream.read(length)).struct()


def _rows(
    stream: BinaryIO, groups: Sequence[Struct], nodes: dict[str, Node]
) -> Iterator[tuple[str, dict[str, Any]]]:
    budget, number = Budget(), 0
    for group in groups:
        with _damage():
            chunks, count = group.get(_COLUMNS) or [], group.get(_ROWS, 0)
            made = [list(_column(stream, chunks, node, count, name, budget)) for name, node in nodes.items()]
        for cells in zip(*made, strict=True):
            number += 1
            yield f"row {number}", dict(zip(nodes, cells, strict=True))


def _column(
    stream: BinaryIO, chunks: Sequence[Struct], node: Node, rows: int, name: str, budget: Budget
) -> Iterator[Any]:
    leaves = list(node.leaves())
    if any(leaf.leaf >= len(chunks) for leaf in leaves):
        raise Refused("is damaged: a column is missing")
    try:
        columns = {leaf.leaf: column_entries(stream, chunks[leaf.leaf], leaf, budget) for leaf in leaves}
    except Refused as refusal:
        raise Refused(f"column {name[:64]}: {refusal}") from None
    return records(node, columns, rows)
