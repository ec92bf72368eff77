"""Tables that somebody uploads, read by a process with limits of its own that knows nothing but the file."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO, Any, BinaryIO, Literal, cast

from rootstock.errors import InvalidInput
from rootstock.files.uploads import Upload, incoming_file
from rootstock.registry.datasets import reading
from rootstock.registry.datasets.reading import Lines

Form = Literal["jsonl", "csv", "parquet"]
REFUSED = 3  # the reader's status when it says why
SECONDS = 60
_MAGIC = b"PAR1"


@dataclass(slots=True, frozen=True)
class Head:
    """The columns of a table: those that can be read, and why the others cannot."""

    columns: list[str]
    unread: dict[str, str]


def form_of(content: Upload) -> Form:
    """What a file is: Parquet by its content, CSV by its name, and else JSON Lines."""
    stream = cast(BinaryIO, content.file)
    stream.seek(0)
    head = stream.read(4)
    stream.seek(0)
    if head == _MAGIC:
        return "parquet"
    return "csv" if PurePath(content.name or "").suffix.lower() in {".csv", ".tsv"} else "jsonl"


def table_head(content: Upload, form: Form) -> Head:
    """Its columns. Raises InvalidInput for what cannot be read."""
    return _run(content, form, None, 0)[0]


def table_lines(
    content: Upload, form: Form, columns: Sequence[str] | None, most: int | None = None, *, tell: bool = False
) -> Lines:
    """The rows of these columns as JSON, at most so many. Raises InvalidInput for what cannot be read; with `tell` a
    row of CSV that cannot is a text of JSON, the reason why."""
    _, rows = _run(content, form, columns, reading.MAX_ROWS + 1 if most is None else most, tell)
    with rows:
        for line in rows:
            where, _, text = line.decode().rstrip("\n").partition("\t")
            yield where, text


def _run(
    content: Upload, form: Form, columns: Sequence[str] | None, most: int, tell: bool = False
) -> tuple[Head, IO[bytes]]:
    if (content.size or 0) > reading.MAX_BYTES:
        raise InvalidInput.field("file", f"is larger than {reading.MAX_BYTES // 2**20} MiB")
    asked = {"form": form, "columns": None if columns is None else list(columns), "rows": most, "tell": tell}
    rows = incoming_file()
    with incoming_file() as source:
        content.seek(0)
        shutil.copyfileobj(cast(BinaryIO, content.file), source)
        content.seek(0)
        source.seek(0)
        _read(json.dumps(asked), source, rows)
    rows.seek(0)
    return Head(**json.loads(rows.readline())), rows


def _read(asked: str, source: IO[bytes], rows: IO[bytes]) -> None:
    try:
        done: subprocess.CompletedProcess[Any] = subprocess.run(
            [sys.executable, "-m", "models_zoo.tables", asked],
            stdin=source,
            stdout=rows,
            stderr=subprocess.PIPE,
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"},
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        done = subprocess.CompletedProcess([], -1)
    if done.returncode == REFUSED:
        raise InvalidInput.field("file", done.stderr.decode(errors="replace").strip())
    if done.returncode:
        told = "is damaged, or takes more than 768 MiB of memory or 30 s to be read"
        raise InvalidInput.field("file", told)
