"""The lists of the registry's pages."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rootstock.console import formats
from rootstock.console.tables import ChoiceFilter, Column, Empty, Table, TextFilter
from rootstock.console.templatetags.console import pill
from rootstock.registry.models import AdapterVersion, Alias, Change, Dataset, Origin, Promotion
from rootstock.registry.pages.residency import Seat, seats_html
from rootstock.registry.pages.words import (
    DATA_TASKS,
    TASKS,
    keep_words,
    places_html,
    promotion_pill,
    state_pill,
    task_words,
)
from rootstock.registry.version_selectors import Place

STATES = (("serving", "Serving"), ("idle", "Idle"), ("retired", "Retired"))


def _size(row: Any) -> str:
    return filesizeformat(row.bytes)


@dataclass(slots=True, frozen=True)
class Listed:
    """A version as the list shows it: where it serves, which workers hold it, and of how many of its name."""

    version: AdapterVersion
    places: list[Place]
    seats: list[Seat]
    total: int
    shown: int

    @property
    def pk(self) -> UUID:
        """For the table."""
        return self.version.pk

    def __getattr__(self, name: str) -> Any:
        return getattr(self.version, name)


def _heading(row: Listed) -> str:
    """The group's name, what it is for, and where its versions are told in full or compared."""
    count = f"{row.total:,} version{'' if row.total == 1 else 's'}"
    told = format_html(
        '<code>{}</code> <span class="meta">{} · {}</span>', row.name, task_words(row.version), count
    )
    if row.total > row.shown:
        told = format_html(
            '{} <a class="meta" href="{}?name={}">show all</a>', told, reverse("adapters"), row.name
        )
    return told


def _reference_cell(row: Listed) -> SafeString:
    return format_html('<code class="strong">@{}</code>', row.version.digest[:12])


def _trained_on(row: Listed) -> SafeString | str:
    if row.version.dataset is None:
        return ""
    if row.version.dataset.erased_at:
        return pill("warn", "Held an erased person", "fingerprint")
    return row.version.dataset.name


def _serving(rows: QuerySet[Any], state: str) -> QuerySet[Any]:
    """Versions that serve, lie idle, or are retired."""
    if state == "retired":
        return rows.exclude(retired_at=None)
    here = OuterRef("pk")
    named = Alias.objects.filter(Q(current=here) | Q(canary=here) | Q(shadow=here))
    return rows.filter(Exists(named) if state == "serving" else ~Exists(named), retired_at=None)


def _for_task(rows: QuerySet[Any], task: str) -> QuerySet[Any]:
    wanted = Q(card__task=task)
    return rows.filter(wanted | Q(card__task__isnull=True) if task == "chat" else wanted)


_COLUMNS = [
    Column("reference", "Version", value=_reference_cell, csv=lambda row: row.version.reference),
    Column(
        "state", "State", value=lambda row: state_pill(row.version, row.places),
        csv=lambda row: "retired" if row.retired_at else "serving" if row.places else "idle",
    ),
    Column(
        "serves", "Serves", value=lambda row: places_html(row.places),
        csv=lambda row: " ".join(place.alias.name for place in row.places),
    ),
    Column(
        "resident", "Resident", value=lambda row: seats_html(row.seats),
        csv=lambda row: " ".join(f"{seat.worker}:{seat.row.tier}" for seat in row.seats),
    ),
    Column("bytes", "Size", value=_size, csv=lambda row: row.bytes, css="num"),
    Column("base", "Base", value=lambda row: row.base.name, css="nowrap"),
    Column(
        "origin", "Origin", value=lambda row: Origin(row.origin).label, csv=lambda row: row.origin,
        shown=False,
    ),
    Column("dataset", "Trained on", value=_trained_on, csv=lambda row: row.dataset and row.dataset.name),
    Column("task", "Task", value=lambda row: task_words(row.version), shown=False),
    Column("keep", "Kept", value=lambda row: keep_words(row.version), shown=False),
    Column("created_at", "Made"),
]  # fmt: skip


def adapters_table(bases: list[tuple[str, str]]) -> Table:
    """The organisation's adapters; `bases` are the ids and names to choose from."""
    return Table(
        name="adapters",
        label="Adapters",
        columns=_COLUMNS,
        filters=[
            TextFilter("name", "Name", lookup="name__startswith", placeholder="Starts with"),
            ChoiceFilter("task", "Task", apply=_for_task, choices=list(TASKS.items())),
            ChoiceFilter("state", "State", apply=_serving, choices=STATES),
            ChoiceFilter("origin", "Origin", lookup="origin", choices=Origin.choices),
            ChoiceFilter("base", "Base", lookup="base", choices=bases),
        ],
        row_url=lambda row: reverse("adapter", args=[row.pk]),
        heading=_heading,
        empty=Empty(
            "No adapters yet",
            "Upload one as a PEFT folder, or train one under Adaptation. "
            "It appears here once it has passed its checks.",
            "layers",
            reverse("adapter-upload"),
            "Upload an adapter",
        ),
    )  # fmt: skip


def _content(row: Dataset) -> SafeString:
    if row.erased_at:
        return pill("warn", "Destroyed with an erasure", "fingerprint")
    return pill("ok", "Kept") if row.file_id else pill("neutral", "Deleted")


DATASETS = Table(
    name="datasets",
    label="Data sets",
    columns=[
        Column("name", "Data set", css="strong"),
        Column("task", "Task", value=lambda row: DATA_TASKS.get(row.task, row.task)),
        Column(
            "is_test", "Use", value=lambda row: "Frozen test set" if row.is_test else "Training", css="nowrap"
        ),
        Column("sha256", "Content's hash", value=lambda row: format_html("<code>{}</code>", row.sha256[:12])),
        Column("rows", "Examples", css="num"),
        Column("held", "Persons declared", css="num"),
        Column("content", "Content", value=_content),
        Column("created_at", "Uploaded"),
    ],
    csv=False,
    views=False,
    row_url=lambda row: reverse("dataset", args=[row.pk]),
    empty=Empty(
        "No data sets yet",
        "Upload examples to train on, or a frozen test set to measure adapters by.",
        "database",
    ),
)


PROMOTIONS = Table(
    name="promotions",
    label="Promotions",
    columns=[
        Column("alias", "Alias", css="mono strong"),
        Column("version", "Version", value=lambda row: row.version.reference, css="mono"),
        Column("change", "Change", value=lambda row: Change(row.change).label, csv=lambda row: row.change),
        Column(
            "share",
            "Share",
            value=lambda row: formats.percentage(row.share),
            csv=lambda row: row.share,
            css="num",
        ),
        Column("state", "State", value=promotion_pill, csv=lambda row: row.state),
        Column("reason", "Reason", css="wide"),
        Column("created_at", "Asked", order="id"),
        Column("decided_at", "Decided"),
    ],
    filters=[
        ChoiceFilter("state", "State", lookup="state", choices=Promotion.State.choices),
        TextFilter("alias", "Alias", lookup="alias__startswith", placeholder="Starts with"),
    ],
    sort="-created_at",
    row_url=lambda row: reverse("promotion", args=[row.pk]),
    empty=Empty(
        "No promotions yet",
        "Open an adapter's version and propose it for an alias.",
        "users",
        "/adapters/",
        "Open the adapters",
    ),
)
