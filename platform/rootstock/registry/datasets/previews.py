"""An uploaded file at a glance: its first rows, and which of its columns would become what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, cast

from rootstock.errors import InvalidInput
from rootstock.files.uploads import Upload
from rootstock.paging import refuse_other
from rootstock.registry.datasets.columns import (
    PARTS,
    columns_chosen,
    columns_expected,
    columns_suggested,
    is_whole,
)
from rootstock.registry.datasets.examples import EXAMPLES
from rootstock.registry.datasets.reading import Lines, canonical_lines, json_lines
from rootstock.registry.datasets.tables import Form, form_of, table_head, table_lines

ROWS, EXAMPLE_ROWS, SHOWN = 5, 3, 160


@dataclass(slots=True, frozen=True)
class Preview:
    """parts: what an example of the task has. chosen: part → column. missing: whether somebody has to say more.

    rows: the first ones, a text for each column. examples: what the first become. problem: why they cannot.
    """

    form: Form
    columns: list[str]
    unread: dict[str, str]
    parts: list[str]
    chosen: dict[str, str]
    missing: bool
    rows: list[list[str]]
    examples: list[dict[str, Any]]
    problem: str


def dataset_preview(*, content: Upload, task: str, columns: Mapping[str, str] | None = None) -> Preview:
    """Look at the first rows of an upload; nothing is kept. Raises InvalidInput for a file that cannot be read."""
    refuse_other("task", task, EXAMPLES)
    form = form_of(content)
    if form == "jsonl":
        rows = [_row(text) for _, text in islice(json_lines(cast(BinaryIO, content.file)), ROWS)]
        names, unread = list(dict.fromkeys(name for row in rows for name in row)), dict[str, str]()
        is_known = columns is None
    else:
        head = table_head(content, form)
        names, unread = head.columns, head.unread
        rows = [_row(text) for _, text in table_lines(content, form, None, ROWS)]
        is_known = is_whole(task, columns_expected(task, names))
    chosen = dict(columns or columns_suggested(task, names))
    examples, problem = _examples(rows, task, None if form == "jsonl" and columns is None else chosen)
    return Preview(
        form, names, unread, list(PARTS[task]), chosen, not is_known and columns is None,
        [[_shown(row.get(name)) for name in names] for row in rows], examples, problem,
    )  # fmt: skip


def upload_lines(
    content: Upload, task: str, columns: Mapping[str, str] | None
) -> tuple[Lines, dict[str, str] | None]:
    """The rows of an upload in whatever form, and which columns make its examples; None: the rows' own names.

    Raises InvalidInput for a file that cannot be read, and where columns have to be chosen first.
    """
    form = form_of(content)
    if form == "jsonl":
        chosen = columns_chosen(task, list(columns.values()), columns) if columns else None
        return json_lines(cast(BinaryIO, content.file)), chosen
    chosen = columns_chosen(task, table_head(content, form).columns, columns)
    return table_lines(content, form, sorted(set(chosen.values()))), chosen


def _row(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _examples(
    rows: list[dict[str, Any]], task: str, columns: Mapping[str, str] | None
) -> tuple[list[dict[str, Any]], str]:
    lines = ((f"row {number}", json.dumps(row)) for number, row in enumerate(rows[:EXAMPLE_ROWS], start=1))
    try:
        return [json.loads(line) for line in canonical_lines(lines, task, columns)], ""
    except InvalidInput as error:
        return [], "; ".join(f"{found.field}: {found.reason}" for found in error.errors[:3])


def _shown(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
