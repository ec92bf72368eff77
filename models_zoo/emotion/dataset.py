"""GoEmotions as training files: JSON lines of `{"text": …, "labels": […]}` per split."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models_zoo.emotion.labels import LABELS

SPLITS = {"train": "train.tsv.gz", "dev": "dev.tsv", "test": "test.tsv"}


@dataclass(slots=True, frozen=True)
class Example:
    text: str
    labels: tuple[str, ...]


def read_split(folder: Path, split: str) -> list[Example]:
    """Examples of one split. folder: the data set's folder, holding `original/`.

    FileNotFoundError when the data is not there; ValueError names a line that is not `text, ids, comment id`
    or a label file that is not GoEmotions' own.
    """
    _check_labels(folder / "original" / "labels.txt")
    path = folder / "original" / SPLITS[split]
    return [_parse(line, f"{path.name}:{number}") for number, line in enumerate(_lines(path), start=1)]


def write_jsonl(examples: list[Example], target: Path) -> str:
    """Write one JSON object per line and return the file's sha256, which the adapter's card records."""
    lines = [json.dumps({"text": e.text, "labels": list(e.labels)}, ensure_ascii=False) for e in examples]
    payload = ("\n".join(lines) + "\n").encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(payload)
    return hashlib.sha256(payload).hexdigest()


def _lines(path: Path) -> Iterator[str]:
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as file
    ):
        for line in file:
            if line.strip():
                yield line.rstrip("\n")


def _parse(line: str, where: str) -> Example:
    fields = line.split("\t")
    try:
        ids = [int(part) for part in fields[1].split(",")]
        labels = tuple(LABELS[index] for index in ids)
    except (IndexError, ValueError) as error:
        raise ValueError(f"{where}: expected text, label ids and comment id, separated by tabs") from error
    return Example(text=fields[0], labels=labels)


def _check_labels(path: Path) -> None:
    if tuple(path.read_text(encoding="utf-8").split()) != LABELS:
        raise ValueError(f"{path}: not the 28 labels of GoEmotions in their order")
