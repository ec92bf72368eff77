"""Apache Parquet by pyarrow, as far as tables need it: text, numbers, truth values, lists and groups of them;
moments and decimals as text.

pyarrow is C++ that a hostile file may break: only the limited process (`models_zoo.tables.__main__`) imports this.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from models_zoo.tables.common import MAX_CELL, Refused, Table, names_checked

MAGIC, ENCRYPTED = b"PAR1", b"PARE"
MAX_LEAVES, MAX_DEPTH = 2000, 12
MAX_HEADER = 4 << 20  # bytes of a text in a header, and parts of a list there
MAX_UNPACKED = 256 << 20  # bytes of all columns that are read
MAX_VALUES = 4_000_000
ROWS_AT_ONCE = 64
ODD = "holds dates without a time or other values that are no text, number, truth value or moment"


def read_parquet(stream: BinaryIO, columns: Sequence[str] | None) -> Table:
    """The rows of a Parquet file. columns: those to read; None: all that can be.

    Raises `Refused`, while rows are read too, and MemoryError.
    """
    _check_ends(stream)
    with _damage():
        file = pq.ParquetFile(
            stream,
            thrift_string_size_limit=MAX_HEADER,
            thrift_container_size_limit=MAX_HEADER,
            pre_buffer=False,
        )
        return _table(file, columns)


def _check_ends(stream: BinaryIO) -> None:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(4)
    stream.seek(max(0, size - 4))
    tail = stream.read(4)
    if ENCRYPTED in (head, tail):
        raise Refused("is encrypted")
    if size < 12 or head != MAGIC or tail != MAGIC:
        raise Refused("is cut off, or no Parquet file")
    stream.seek(0)


@contextmanager
def _damage() -> Iterator[None]:
    """A damaged file may fail anywhere, with any error."""
    try:
        yield
    except UnicodeDecodeError:
        raise Refused("has a cell that is not UTF-8") from None
    except (pa.ArrowException, OSError, TypeError, LookupError, ValueError, ArithmeticError) as error:
        if isinstance(error, MemoryError):
            raise
        raise Refused("is damaged, or no Parquet file") from None


def _table(file: pq.ParquetFile, columns: Sequence[str] | None) -> Table:
    if len(file.schema) > MAX_LEAVES:
        raise Refused(f"has a schema of {len(file.schema)} parts, at most {MAX_LEAVES} are read")
    fields = list(file.schema_arrow)
    names = names_checked([field.name for field in fields])
    kinds = {name: field.type for name, field in zip(names, fields, strict=True)}
    unread = {name: ODD for name, kind in kinds.items() if not (_is_told(kind) or _is_plain(kind))}
    readable = [name for name in names if name not in unread]
    wanted = readable if columns is None else [name for name in columns if name in kinds]
    blocked = min(unread.keys() & set(wanted), default=None)
    if blocked is not None:
        raise Refused(f"column {blocked[:64]} {unread[blocked]}")
    places = {name: names.index(name) for name in wanted}
    return Table(readable, unread, _rows(file, {name: fields[at].name for name, at in places.items()}))


def _is_told(kind: pa.DataType) -> bool:
    """Whether its values are given as text: JSON has neither moments nor decimals."""
    return bool(types.is_timestamp(kind) or types.is_decimal(kind))


def _is_plain(kind: pa.DataType, depth: int = 1) -> bool:
    """Whether its values are what JSON has."""
    if depth > MAX_DEPTH:
        raise Refused(f"has columns within columns more than {MAX_DEPTH} deep")
    if types.is_struct(kind):
        inner = [kind.field(at).type for at in range(kind.num_fields)]
        return bool(inner) and all(_is_plain(one, depth + 1) for one in inner)
    if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind):
        return _is_plain(kind.value_type, depth + 1)
    is_text = types.is_string(kind) or types.is_large_string(kind)
    is_bytes = types.is_binary(kind) or types.is_large_binary(kind)  # as older writers mark text
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    return bool(is_text or is_bytes or is_number or types.is_null(kind))


def _rows(file: pq.ParquetFile, chosen: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """chosen: the columns' own names by those under which they are given."""
    with _damage():
        _check_size(file, list(chosen.values()))
        batches = file.iter_batches(ROWS_AT_ONCE, columns=list(chosen.values()), use_threads=False)
    number = 0
    while (rows := _next(batches, chosen)) is not None:
        for row in rows:
            number += 1
            yield f"row {number}", row


def _check_size(file: pq.ParquetFile, own_names: Sequence[str]) -> None:
    """Raises `Refused` for more than is read, going by what the file says of itself; whatever it keeps quiet about
    breaks the process's limits."""
    schema, about = file.schema, file.metadata
    starts = tuple(f"{name}." for name in own_names)
    leaves = [at for at in range(len(schema)) if f"{schema.column(at).path}.".startswith(starts)]
    groups = [about.row_group(at) for at in range(about.num_row_groups)]
    chunks = [group.column(at) for group in groups for at in leaves]
    if sum(chunk.total_uncompressed_size for chunk in chunks) > MAX_UNPACKED:
        raise Refused(f"unpacks to more than {MAX_UNPACKED >> 20} MiB")
    if sum(chunk.num_values for chunk in chunks) > MAX_VALUES:
        raise Refused(f"holds more than {MAX_VALUES:,} values")


def _next(batches: Iterator[pa.RecordBatch], chosen: dict[str, str]) -> list[dict[str, Any]] | None:
    """The next few rows; None behind the last."""
    with _damage():
        batch = next(batches, None)
        if batch is None:
            return None
        cells = [[_cell(value) for value in _values(batch.column(own))] for own in chosen.values()]
        return [dict(zip(chosen, row, strict=True)) for row in zip(*cells, strict=True)]


def _values(column: pa.Array) -> list[Any]:
    """Moments in microseconds, of a column with a time zone by UTC; decimals without zeros that say nothing."""
    kind = column.type
    if types.is_timestamp(kind):
        zone = "UTC" if kind.tz else None
        found = column.cast(pa.timestamp("us", zone), safe=False).to_pylist()
        return [value and value.isoformat() for value in found]
    values: list[Any] = column.to_pylist()
    if types.is_decimal(kind):
        return [None if value is None else _plain_text(value) for value in values]
    return values


def _plain_text(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _cell(value: Any) -> Any:
    """As JSON has it: a number that is none is nothing."""
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str) and len(value) > MAX_CELL:
        raise Refused(f"has a cell of more than {MAX_CELL >> 20} MiB")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_cell(one) for one in value]
    return {name: _cell(one) for name, one in value.items()} if isinstance(value, dict) else value
