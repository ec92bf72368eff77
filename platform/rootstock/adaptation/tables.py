"""The list of trainings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rootstock.adaptation.words import came_out
from rootstock.console.tables import BulkAction, ChoiceFilter, Column, DateFilter, Empty, Table, TextFilter
from rootstock.console.templatetags.console import status_pill
from rootstock.jobs.models import Job, JobState
from rootstock.jobs.pages import JobPage
from rootstock.registry.models import Dataset


@dataclass(slots=True, frozen=True)
class Listed:
    """A training as the list shows it."""

    job: Job
    dataset: str

    @property
    def pk(self) -> UUID:
        """For the table."""
        return self.job.pk

    @property
    def name(self) -> str:
        """Of the adapter, or of the base."""
        return str(self.job.params.get("name", ""))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.job, name)


def _progress(row: Listed) -> str:
    return f"{row.done:,} of {row.total:,}" if row.total else ""


def _reference(row: Listed) -> str:
    return came_out(row.job)


def _version(row: Listed) -> SafeString | str:
    reference = _reference(row)
    return format_html("<code>{}</code>", reference) if reference else ""


def trainings_table(datasets: Sequence[Dataset], compare: str) -> Table:
    """The organisation's trainings; `datasets` are those to filter by, `compare` is where chosen rows go."""
    names = {str(one.pk): one.name for one in datasets}
    return Table(
        name="trainings",
        label="Trainings",
        columns=[
            Column("name", "Name", css="strong"),
            Column(
                "state", "State", value=lambda row: status_pill(JobPage(row.job).state), csv=lambda row: row.state
            ),
            Column("dataset", "Data set"),
            Column("progress", "Steps", value=_progress, css="num"),
            Column("message", "Lately", value=lambda row: row.message, css="num"),
            Column(
                "version", "Came out", value=_version, csv=_reference
            ),
            Column("started_by", "Started by", value=lambda row: JobPage(row.job).started_by, shown=False),
            Column("created", "Started", value=lambda row: row.created_at, order="id"),
            Column("finished", "Finished", value=lambda row: row.finished_at, shown=False),
        ],
        filters=[
            TextFilter("name", "Name", lookup="params__name__startswith", placeholder="Starts with"),
            ChoiceFilter("state", "State", lookup="state", choices=JobState.choices),
            ChoiceFilter("dataset", "Data set", lookup="params__dataset", choices=list(names.items())),
            DateFilter("created", "Started", lookup="created_at", by_id=True),
        ],
        sort="-created",
        prepare=lambda rows: [Listed(row, names.get(row.params.get("dataset", ""), "")) for row in rows],
        row_url=lambda row: reverse("training", args=[row.pk]),
        actions=[BulkAction("Compare", compare, "git-compare")],
        empty=Empty(
            "No trainings yet",
            "Upload a data set, then train an adapter on it: its curve appears here while it learns.",
            "sprout",
            reverse("training-new"),
            "Train an adapter",
        ),
        live_s=5,
    )  # fmt: skip
