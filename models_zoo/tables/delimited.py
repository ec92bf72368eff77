"""CSV as RFC 4180 has it, with the separator that its first line uses. Cells are text; none is ever evaluated."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from models_zoo.tables.common import MAX_CELL, Refused, Table, names_checked

SEPARATORS = ",;\t|"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_delimited(stream: BinaryIO, columns: Sequence[str] | None) -> Table:
    """The rows of a CSV file in UTF-8 with a header. columns: those to read; None: all.

    An empty cell is None. Raises `Refused`, while rows are read too, naming the line.
    """
    text = _text(stream)
    header = text.readline()
    text.seek(0)
    csv.field_size_limit(MAX_CELL)
    rows = _numbered(csv.reader(text, delimiter=_separator(header), strict=True))
    first = next(rows, None)
    if first is None:
        raise Refused("is empty")
    names = names_checked(first[1])
    wanted = names if columns is None else list(columns)
    return Table(names, {}, _cells(rows, names, wanted))


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


def _numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
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


def _cells(
    rows: Iterator[tuple[int, list[str]]], names: list[str], wanted: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    places = [(name, names.index(name)) for name in wanted]
    for line, row in rows:
        if len(row) != len(names):
            raise Refused(f"line {line}: has {len(row)} cells, the header has {len(names)}")
        yield f"line {line}", {name: row[place] or None for name, place in places}
