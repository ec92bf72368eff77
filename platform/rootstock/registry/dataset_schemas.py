"""What the REST API takes and tells of data sets."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import Field

from rootstock.errors import InvalidInput
from rootstock.registry.datasets.looking import LEAST_EVENNESS, MAX_TOKENS
from rootstock.registry.datasets.names import ROWS
from rootstock.registry.datasets.report import Names, Report


class DatasetOut(Schema):
    """A data set. `erased_at`: its content was destroyed with the erasure of a person whom it held. `parent_id`: what
    it was before lines were dropped."""

    id: UUID
    name: str
    task: str
    is_test: bool
    sha256: str
    rows: int
    bytes: int
    subject_ids: list[UUID]
    parent_id: UUID | None
    created_at: datetime
    erased_at: datetime | None
    reported_at: datetime | None
    report_job_id: UUID | None
    names_job_id: UUID | None


class DatasetReportOut(Schema):
    """What was found in a data set; null while nobody has looked. Lines are told by number, never what they hold.

    `names`: the lines of a sample in which a model found names of persons; `names_job_id`: who looks, or looked last.
    """

    dataset_id: UUID
    reported_at: datetime | None
    job_id: UUID | None
    report: Report | None
    names_job_id: UUID | None
    names: Names | None


class ReportIn(Schema):
    """How to look: where longer examples are cut, and below which evenness a text repeats itself too much."""

    max_tokens: int = MAX_TOKENS
    least_evenness: float = LEAST_EVENNESS


class NamesIn(Schema):
    """In how many examples names are looked for: in fewer where they are longer than 800 characters on average."""

    rows: int = ROWS


class PruneIn(Schema):
    """The lines to drop."""

    lines: list[int] = Field(min_length=1, max_length=20_000)


class ExampleOut(Schema):
    """An example and its line."""

    line: int
    example: dict[str, Any]


class ExamplesOut(Schema):
    """Some examples in order. `total`: how many there are."""

    total: int
    items: list[ExampleOut]


class UsesOut(Schema):
    """Where a data set was used."""

    adapters: list[str] = Field(examples=[["support-tone@a3f5a3f5a3f5"]])
    trainings: list[UUID]
    evaluated: list[str] = Field(examples=[["support-tone@a3f5a3f5a3f5"]])
    versions: list[UUID]


class PreviewOut(Schema):
    """An upload at a glance. `parts`: what an example has; `chosen`: the columns that would become them; `missing`:
    they have to be confirmed by naming them. `problem`: why the first rows become no examples."""

    form: str = Field(examples=["csv"])
    columns: list[str] = Field(examples=[["body", "intent"]])
    unread: dict[str, str]
    parts: list[str] = Field(examples=[["text", "label", "labels"]])
    chosen: dict[str, str] = Field(examples=[{"text": "body", "label": "intent"}])
    missing: bool
    rows: list[list[str]] = Field(examples=[[["Where is my parcel?", "delivery"]]])
    examples: list[dict[str, Any]] = Field(
        examples=[[{"text": "Where is my parcel?", "labels": ["delivery"]}]]
    )
    problem: str = Field(examples=[""])


def columns_of(text: str) -> Mapping[str, str] | None:
    """The form field `columns`: a JSON object of texts. Raises InvalidInput."""
    if not text.strip():
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise InvalidInput.field(
            "columns", 'must be a JSON object such as {"text": "body", "label": "intent"}'
        )
    return found
