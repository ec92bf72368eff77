"""Where the zoo reads and writes, and the formats of the public data sets."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
VAR = Path(os.environ.get("ROOTSTOCK_VAR", ROOT / "var"))
DATA = Path(os.environ.get("ROOTSTOCK_DATA", ROOT.parent / "shared" / "data"))
WORK = VAR / "zoo"
BASE = VAR / "models" / "smollm2-135m-instruct"

Row = dict[str, Any]
"""One example in the trainer's format (`TrainSpec`); fields beside it are for measuring alone."""
Sentence = tuple[list[str], list[str]]
"""Tokens and their IOB tags."""


def read_text(path: Path) -> str:
    """A UTF-8 file, gzipped or not. Raises OSError."""
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            return stream.read()
    return path.read_text(encoding="utf-8")


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a heading, gzipped or not. Raises OSError."""
    csv.field_size_limit(sys.maxsize)
    return list(csv.DictReader(read_text(path).splitlines(keepends=True)))


def read_lines(path: Path) -> list[Row]:
    """The objects of a JSON Lines file, gzipped or not. Raises OSError, and ValueError for a line that is none."""
    return [json.loads(line) for line in read_text(path).split("\n") if line.strip()]


def read_iob(path: Path) -> list[Sentence]:
    """Sentences of `token TAB ... TAB tag` lines, one blank line between two.

    Raises OSError, and ValueError naming a line without a tag.
    """
    sentences: list[Sentence] = []
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*read_text(path).split("\n"), ""], start=1):
        if line.strip():
            word, tab, rest = line.partition("\t")
            if not tab or rest.split("\t")[-1][:1] not in ("O", "B", "I"):
                raise ValueError(f"{path.name}:{number}: expected a token, a tab and an IOB tag")
            words.append(word)
            tags.append(rest.split("\t")[-1])
        elif words:
            sentences.append((words, tags))
            words, tags = [], []
    return sentences


def write_lines(path: Path, rows: Iterable[Row], fields: Sequence[str] | None = None) -> str:
    """Write JSON Lines, of each row only `fields` where they are given; returns the file's SHA-256 (hex)."""
    kept = (row if fields is None else {name: row[name] for name in fields} for row in rows)
    payload = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload)
    return hashlib.sha256(payload).hexdigest()


def share_of(text: str) -> float:
    """A number from 0 to 1 that depends on the text alone, for splits that stay the same."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / (1 << 48)


def pieces(words: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Lists of at most `size`."""
    return (words[start : start + size] for start in range(0, len(words), size))
