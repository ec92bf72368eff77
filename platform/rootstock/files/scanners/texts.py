"""Text, JSON, JSON Lines and tables: UTF-8, of bounded depth and line length."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from rootstock.files.scanners.common import Refusal, chunks, size_of
from rootstock.storable import MAY_SPELL_ONE, REASON, unstorable

MAX_LINE = 16 * 1024 * 1024
MAX_DEPTH = 64
MAX_JSON = 32 * 1024 * 1024  # of one document, which is read whole
MAX_COLUMNS = 5000
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")


def check_text(stream: BinaryIO) -> str:
    """UTF-8 without control characters, no endless line."""
    decoder, at, lines, line = codecs.getincrementaldecoder("utf-8")(), 0, 0, 0
    for piece in chunks(stream):
        text = _decoded(decoder, piece, at)
        at += len(piece)
        if found := _CONTROL.search(text):
            raise Refusal(f"holds the control character U+{ord(found.group()):04X}")
        lines += text.count("\n")
        line = len(text) - text.rfind("\n") - 1 if "\n" in text else line + len(text)
        if line > MAX_LINE:
            raise Refusal(f"line {lines + 1} is longer than {MAX_LINE:,} characters")
    _decoded(decoder, b"", at, final=True)
    return f"UTF-8, {lines + bool(line):,} lines"


def _decoded(decoder: codecs.IncrementalDecoder, piece: bytes, at: int, *, final: bool = False) -> str:
    held = len(decoder.getstate()[0])
    try:
        return decoder.decode(piece, final)
    except UnicodeDecodeError as error:
        raise Refusal(f"is not UTF-8 at byte {at - held + error.start}") from None


def check_json(stream: BinaryIO) -> str:
    """One JSON value."""
    if size_of(stream) > MAX_JSON:
        raise Refusal(
            f"a JSON document has at most {MAX_JSON // 2**20} MiB; longer data goes into JSON Lines"
        )
    value = json_value(stream.read(), "")
    return f"JSON {'object' if isinstance(value, dict) else 'array' if isinstance(value, list) else 'value'}"


def check_json_lines(stream: BinaryIO) -> str:
    """A JSON value on each line that is not blank."""
    count = 0
    for number, line in lines_of(stream):
        json_value(line, f"line {number} ")
        count += 1
    if not count:
        raise Refusal("has no lines")
    return f"{count:,} JSON lines"


def lines_of(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each line that is not blank; one at a time in memory."""
    stream.seek(0)
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise Refusal(f"line {number} is longer than {MAX_LINE:,} bytes")
        if line.strip():
            yield number, line


def json_value(raw: bytes, where: str) -> Any:
    """The value, if it is JSON that can be stored and is not nested too deeply."""
    if is_deeper(raw, MAX_DEPTH):
        raise Refusal(f"{where}is nested deeper than {MAX_DEPTH} levels")
    try:
        text = raw.decode("utf-8-sig" if not where else "utf-8")
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        told = (
            f"{error.msg} at column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else "not a value"
        )
        raise Refusal(f"{where}is not JSON: {told}") from None
    if MAY_SPELL_ONE.search(text):  # what is not escaped was looked at as text
        place = next(unstorable(value, ""), None)
        if place is not None:
            raise Refusal(f"{where}{place or 'it'}: {REASON}")
    return value


def is_deeper(raw: bytes, limit: int) -> bool:
    """Whether brackets nest deeper, strings left out; a bound that needs no parser."""
    if raw.count(b"[") + raw.count(b"{") <= limit:
        return False
    depth = deepest = 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', raw, re.DOTALL):
        first = token.group()[:1]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest > limit


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def check_csv(stream: BinaryIO) -> str:
    """A table: every row has as many cells as the first."""
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        return _table(text)
    except csv.Error as error:
        raise Refusal(f"is not a table: {str(error)[:80]}") from None
    finally:
        text.detach()


def _table(text: io.TextIOWrapper) -> str:
    rows, width = 0, 0
    for row in csv.reader(text, delimiter=_delimiter(text), strict=True):
        rows += 1
        if len(row) == width or not row:  # nearly always: files have millions of rows
            continue
        if width:
            raise Refusal(f"row {rows} has {len(row)} cells, the first row has {width}")
        width = len(row)
        if width > MAX_COLUMNS:
            raise Refusal(f"has more than {MAX_COLUMNS} columns")
    if not rows:
        raise Refusal("has no rows")
    return f"{rows:,} rows of {width} columns"


def _delimiter(text: io.TextIOWrapper) -> str:
    first = text.readline(MAX_LINE)
    text.seek(0)
    return max(",;\t|", key=first.count)
