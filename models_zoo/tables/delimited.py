"""CSV as RFC 4180 has it, with the separator that its first line uses. Cells are text; none is ever evaluated."""

from __future__ import annotations

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

from models_zoo.tables.common import MAX_CELL, Refused, Table, names_checked

SEPARATORS = ",;\t|"
MOST_LINES = 10
"""Of one row, where rows that cannot be read are told: a quote that nothing closes goes no further."""
TORN = "has a quote that is not closed"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_delimited(stream: BinaryIO, columns: Sequence[str] | None, *, tell: bool = False) -> Table:
    """The rows of a CSV file in UTF-8 with a header. columns: those to read; None: all.

    An empty cell is None. Raises `Refused`, while rows are read too, naming the line. With `tell` a row that cannot be
    read is the reason why instead of its cells, and reading goes on with the line after the one where it began.
    """
    text = _text(stream)
    header = text.readline()
    text.seek(0)
    csv.field_size_limit(MAX_CELL)
    separator = _separator(header)
    rows = (
        _bounded(text, separator) if tell else _numbered(csv.reader(text, delimiter=separator, strict=True))
    )
    first = next(rows, None)
    if first is None:
        raise Refused("is empty")
    line, head = first
    if isinstance(head, str):
        raise Refused(f"line {line}: {head}")
    names = names_checked(head)
    wanted = names if columns is None else list(columns)
    return Table(names, {}, _told(rows, names, wanted) if tell else _cells(rows, names, wanted))


def _text(stream: BinaryIO) -> io.StringIO:
    content = stream.read()
    if content.startswith(_UTF16):
        raise Refused("is UTF-16; save it as UTF-8")
    try:
        return io.StringIO(content.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        raise Refused(f"is not UTF-8 at byte {error.start}") from None


def _separator(header: str) -> str:
    bare = "".join(header.split('"')[::2])  # what stands outside of quotes
    return max(SEPARATORS, key=lambda mark: (bare.count(mark), -SEPARATORS.index(mark)))


def _numbered(reader: Any) -> Iterator[tuple[int, list[str] | str]]:
    """Rows that are not blank, and the lines at which they begin."""
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Refused(f"line {line}: {error}") from None
        if row:
            yield line, row


def _bounded(text: io.StringIO, separator: str) -> Iterator[tuple[int, list[str] | str]]:
    """Rows that are not blank, or why one cannot be read, and the lines at which they begin."""
    ahead, line, width = deque[str](), 1, 0
    while True:
        ahead.extend(islice(text, MOST_LINES - len(ahead)))
        if not ahead:
            return
        row, used = _record(ahead, separator, width)
        if row:
            yield line, row
        width = width or len(row)
        line += used
        for _ in range(used):
            ahead.popleft()


def _record(ahead: deque[str], separator: str, width: int) -> tuple[list[str] | str, int]:
    """The row that begins here and how many lines it has. A line that is a whole row by itself is part of no other: its
    quotes met those of a row before it by chance."""
    reader = csv.reader(ahead, delimiter=separator, strict=True)
    try:
        row = next(reader)
    except csv.Error as error:
        torn = reader.line_num > 1 or "unexpected end" in str(error)
        return (TORN if torn else f"cannot be read: {error}"), 1
    if width and any(_is_whole(one, separator, width) for one in islice(ahead, 1, reader.line_num)):
        return TORN, 1
    return row, reader.line_num


def _is_whole(line: str, separator: str, width: int) -> bool:
    """Whether a line is a row by itself; one with a quote in its first cell ends a text that began before it."""
    try:
        cells = next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error:
        return False
    return len(cells) == width and '"' not in cells[0]


def _cells(
    rows: Iterator[tuple[int, list[str] | str]], names: list[str], wanted: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, row in _told(rows, names, wanted):
        if isinstance(row, str):
            raise Refused(f"{where}: {row}")
        yield where, row


def _told(
    rows: Iterator[tuple[int, list[str] | str]], names: list[str], wanted: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any] | str]]:
    places = [(name, names.index(name)) for name in wanted]
    for line, row in rows:
        if not isinstance(row, str) and len(row) != len(names):
            row = f"has {len(row)} cells, the header has {len(names)}"
        told = row if isinstance(row, str) else {name: row[place] or None for name, place in places}
        yield f"line {line}", told
