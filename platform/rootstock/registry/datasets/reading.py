"""Reading uploaded data sets: every line is checked before anything is stored."""

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from pydantic import ValidationError

from rootstock.edge import refuse_unstorable
from rootstock.errors import FieldProblem, InvalidInput
from rootstock.files.uploads import HashedUpload
from rootstock.registry.datasets.converting import Unfit, example_of
from rootstock.registry.datasets.examples import EXAMPLES, last_turn_problem

MAX_BYTES = 16 * 1024 * 1024
MAX_LINE = 2 * 1024 * 1024  # what is parsed of JSON takes up to some twenty times as much memory
MAX_ROWS = 20_000
MAX_PROBLEMS = 20
_LINE_END = re.compile(r"\r\n|\r|\n")
# what Python's `splitlines` ends a line at, and JSON leaves as it is within a string
_ENDS_A_LINE = {ord(mark): f"\\u{ord(mark):04x}" for mark in "\x85\u2028\u2029"}

Lines = Iterator[tuple[str, str]]  # where it stands, such as "line 7", and a row as JSON


def check_stream(stream: BinaryIO, task: str) -> int:
    """The number of examples of `task` in JSON Lines, read a line at a time.

    Raises InvalidInput with line numbers, at most twenty of them.
    """
    return sum(1 for _ in canonical_lines(json_lines(stream), task))


def canonical_upload(
    lines: Lines, task: str, name: str, columns: Mapping[str, str] | None = None
) -> tuple[HashedUpload, int]:
    """The rows as examples in their stored form, as a file that can be kept, and how many there are."""
    content = HashedUpload(f"{name}.jsonl", "application/jsonl", None, None)
    digest, size, rows = hashlib.sha256(), 0, 0
    for line in canonical_lines(lines, task, columns):
        rows, size = rows + 1, size + len(line)
        if size > MAX_BYTES:
            raise InvalidInput.field("file", f"becomes larger than {MAX_BYTES // 2**20} MiB as JSON Lines")
        digest.update(line)
        content.write(line)
    content.seek(0)
    content.size, content.sha256 = size, digest.hexdigest()
    return content, rows


def canonical_lines(lines: Lines, task: str, columns: Mapping[str, str] | None = None) -> Iterator[bytes]:
    """Each example as the one line that is stored for it. Raises InvalidInput at the end when any was refused."""
    rows, problems = 0, list[FieldProblem]()
    for where, text in lines:
        rows += 1
        if rows > MAX_ROWS:
            raise InvalidInput.field("file", f"has more than {MAX_ROWS} examples")
        if len(problems) < MAX_PROBLEMS:
            made, found = _example(where, text, task, columns)
            problems += found
            if made and not problems:
                yield made
    if not rows:
        raise InvalidInput.field("file", "has no examples")
    if problems:
        raise InvalidInput(
            "the data set has invalid lines; nothing was stored", errors=problems[:MAX_PROBLEMS]
        )


def examples_of(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """The examples of a data set that was checked."""
    for _, line in json_lines(stream):
        yield json.loads(line)


def canonical_line(example: dict[str, Any]) -> bytes:
    """An example as it is stored: one line of UTF-8, however it is read."""
    text = json.dumps(example, ensure_ascii=False, separators=(",", ":"))
    return f"{text.translate(_ENDS_A_LINE)}\n".encode()


def json_lines(stream: BinaryIO) -> Lines:
    """Place and text of each line that is not blank. Raises InvalidInput for what is too large or no UTF-8."""
    if stream.seek(0, io.SEEK_END) > MAX_BYTES:
        raise InvalidInput.field("file", f"is larger than {MAX_BYTES // 2**20} MiB")
    stream.seek(0)
    number, at = 0, 0
    for raw in stream:
        try:
            text = raw.decode("utf-8-sig" if at == 0 else "utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput.field("file", f"is not UTF-8 at byte {at + error.start}") from None
        at += len(raw)
        for line in _LINE_END.split(text.removesuffix("\n")):
            number += 1
            if line.strip():
                yield f"line {number}", line


def _example(
    where: str, text: str, task: str, columns: Mapping[str, str] | None
) -> tuple[bytes, list[FieldProblem]]:
    """The stored line, or else what is wrong."""
    try:
        value = _parsed(where, text)
        example = EXAMPLES[task].model_validate(example_of(task, value, columns))
    except RecursionError:
        return b"", [FieldProblem(where, "is nested too deeply")]
    except InvalidInput as error:
        return b"", error.errors[:3]
    except Unfit as error:
        return b"", [FieldProblem(f"{where}.{error.part[:64]}", error.reason)]
    except ValidationError as error:
        return b"", [
            FieldProblem(
                ".".join([where, *(str(part) for part in found["loc"])]),
                found["msg"].removeprefix("Value error, "),
            )
            for found in error.errors(include_input=False, include_url=False)[:3]
        ]
    if wrong := last_turn_problem(task, example):
        return b"", [FieldProblem(f"{where}.messages", wrong)]
    return canonical_line(example.model_dump(mode="json")), []


def _parsed(where: str, text: str) -> Any:
    if len(text) > MAX_LINE:
        raise InvalidInput.field(where, f"is longer than {MAX_LINE // 2**20} MiB")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput.field(where, f"is not JSON: {error.msg} at column {error.colno}") from None
    except ValueError:  # a whole number of thousands of digits
        raise InvalidInput.field(where, "holds a number that is too long") from None
    refuse_unstorable(value, where)
    return value
