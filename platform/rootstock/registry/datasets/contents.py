"""What is in a data set: a page of its examples, all of them, the file."""

import json
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from rootstock.errors import Conflict, InvalidInput
from rootstock.files.services import file_open
from rootstock.registry.datasets.reading import examples_of, json_lines
from rootstock.registry.models import Dataset

MOST = 100  # examples of a page


def dataset_file(dataset: Dataset) -> UUID:
    """The file with the content. Raises Conflict or InvalidInput where it is there no more."""
    if dataset.erased_at:
        raise Conflict("dataset_id: it was destroyed with the erasure of a person whom it held")
    if dataset.file_id is None:
        raise InvalidInput.field("dataset_id", "the data set's content is gone from storage; upload it again")
    return dataset.file_id


def dataset_open(dataset: Dataset, done: str) -> BinaryIO:
    """The content, one example a line; recorded as `done`."""
    return file_open(organisation=dataset.organisation_id, file_id=dataset_file(dataset), done=done)[1]


def dataset_copy(*, dataset: Dataset, folder: Path) -> Path:
    """The data set's content as a file in `folder`, for a program that reads files."""
    path = folder / f"{dataset.sha256}.jsonl"
    with dataset_open(dataset, "used") as stored, path.open("wb") as copy:
        shutil.copyfileobj(stored, copy)
    return path


def dataset_examples(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Every example; recorded as used."""
    with dataset_open(dataset, "used") as stored:
        yield from examples_of(stored)


def dataset_page(*, dataset: Dataset, first: int, count: int) -> list[tuple[int, dict[str, Any]]]:
    """Some examples with their lines, beginning at line `first`; recorded as shown."""
    if first < 1:
        raise InvalidInput.field("first", "must be 1 or more")
    if not 1 <= count <= MOST:
        raise InvalidInput.field("limit", f"must be 1 to {MOST}")
    with dataset_open(dataset, "shown") as stored:
        lines = enumerate((text for _, text in json_lines(stored)), start=1)
        return [(line, json.loads(text)) for line, text in islice(lines, first - 1, first - 1 + count)]
