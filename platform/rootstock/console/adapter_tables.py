"""The lists of the adapters page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rootstock.console.tables import Column, Empty, Table, TextFilter
from rootstock.console.templatetags.console import pill
from rootstock.registry.models import AdapterVersion, BaseModel, Dataset


@dataclass(slots=True, frozen=True)
class Shipped:
    """An adapter that comes with Rootstock, as a worker tells of it."""

    pk: str
    task: str
    rank: int
    bytes: int


def shipped_rows(told: Sequence[dict[str, Any]]) -> list[Shipped]:
    """Rows of what the workers tell."""
    return [Shipped(a["adapter"], str(a["task"]).capitalize(), a["rank"], a["bytes"]) for a in told]


def _size(row: Any) -> str:
    return filesizeformat(row.bytes)


def _reference(name: Callable[[Any], str]) -> Callable[[Any], SafeString]:
    return lambda row: format_html('<code class="strong">{}</code>', name(row))


def _job(row: AdapterVersion) -> SafeString | str:
    return format_html('<a href="{}">Training</a>', reverse("job", args=[row.job_id])) if row.job_id else ""


def _trained_on(row: AdapterVersion) -> SafeString | str:
    if row.dataset is None:
        return ""
    if row.dataset.erased_at:
        return pill("warn", "Held an erased person", "fingerprint")
    return row.dataset.name


def own_table(resident: set[str]) -> Table:
    """The adapters that the organisation trained; `resident` are the references that some worker holds."""

    def where(row: AdapterVersion) -> SafeString:
        return pill("ok", "In memory") if row.reference in resident else pill("neutral", "On disk")

    return Table(
        name="adapters",
        label="Adapters",
        columns=[
            Column(
                "adapter",
                "Adapter",
                value=_reference(lambda row: row.reference),
                csv=lambda row: row.reference,
            ),
            Column("base", "Base", value=lambda row: row.base.name),
            Column(
                "dataset", "Trained on", value=_trained_on, csv=lambda row: row.dataset and row.dataset.name
            ),
            Column("bytes", "Size", value=_size, csv=lambda row: row.bytes, css="num"),
            Column("resident", "Resident", value=where, csv=lambda row: row.reference in resident),
            Column("created_at", "Made", order="id"),
            Column("job", "Job", value=_job, csv=lambda row: row.job_id),
        ],
        filters=[TextFilter("name", "Name", lookup="name__startswith", placeholder="Starts with")],
        sort="-created_at",
        empty=Empty(
            "No adapters yet",
            "Start an adaptation job over the API: upload a data set, then POST /api/v1/adapters/train. "
            "The adapter appears here when its training ends.",
            "layers",
        ),
    )


SHIPPED = Table(
    name="adapters-shipped",
    label="Shipped adapters",
    columns=[
        Column("pk", "Adapter", value=_reference(lambda row: row.pk)),
        Column("task", "Task"),
        Column("rank", "Rank", css="num"),
        Column("bytes", "Size", value=_size, css="num"),
        Column("resident", "Resident", value=lambda row: pill("ok", "In memory")),
    ],
    csv=False,
    views=False,
)


def _content(row: Dataset) -> SafeString:
    if row.erased_at:
        return pill("warn", "Destroyed with an erasure", "fingerprint")
    return pill("ok", "Kept") if row.file_id else pill("neutral", "Deleted")


DATASETS = Table(
    name="datasets",
    label="Data sets",
    columns=[
        Column("name", "Data set", css="strong"),
        Column("rows", "Examples", css="num"),
        Column("persons", "Persons declared", value=lambda row: len(row.subject_ids), css="num"),
        Column("content", "Content", value=_content),
        Column("created_at", "Uploaded"),
    ],
    csv=False,
    views=False,
    empty=Empty("No data sets yet", "Upload one over the API: POST /api/v1/datasets.", "database"),
)


def _fingerprint(row: BaseModel) -> SafeString:
    return format_html('<code title="{}">{}</code>', row.fingerprint, row.fingerprint[:12])


BASES = Table(
    name="bases",
    label="Base models",
    columns=[
        Column("name", "Base", css="strong"),
        Column("fingerprint", "Fingerprint", value=_fingerprint),
        Column("bytes", "Size", value=_size, css="num"),
        Column("licence", "Licence"),
        Column("created_at", "First served"),
    ],
    csv=False,
    views=False,
    empty=Empty(
        "No base model yet",
        "The first worker converts the base when it starts; this takes a few seconds.",
        "database",
    ),
)
