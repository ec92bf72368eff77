"""The ward board and the list of imports."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.ehr import pages, selectors
from apps.ehr.evidence import PATIENT
from apps.ehr.models import ImportedBundle, ImportState
from rootstock.accounts.models import Organisation
from rootstock.console.tables import ChoiceFilter, Column, Empty, Table, TextFilter
from rootstock.console.templatetags.console import pill

STATES = {
    ImportState.COMPLETE: ("ok", "Complete"),
    ImportState.STORED: ("warn", "Notes withheld"),
    ImportState.RECEIVED: ("info", "Received"),
}
BOARD_COLUMNS = [
    Column("name", "Patient", value=lambda row: row.patient.name, css="strong"),
    Column("news2", "NEWS2", value=lambda row: pill(row.badge.tone, row.badge.text), order="news2_rank"),
    Column("inputs", "Inputs", value=lambda row: row.badge.note, css="muted"),
    Column("age", "Age", css="num"),
    Column("sex", "Sex", value=lambda row: row.patient.sex.capitalize()),
    Column("number", "Record number", css="mono"),
    Column("last_seen", "Last seen", value=lambda row: row.patient.last_seen_at),
]


def board_table(organisation: Organisation) -> Table:
    """Patients by risk. No CSV: a list of names leaves the hospital only through a privacy officer's export."""

    def of_number(queryset: QuerySet[Any], identifier: str) -> QuerySet[Any]:
        return queryset.filter(pk__in=selectors.owners(organisation.pk, identifier))

    return Table(
        name="ehr-board",
        label="Patients",
        columns=BOARD_COLUMNS,
        filters=[
            TextFilter(
                "identifier", "Record number", apply=of_number, personal=True, placeholder="The whole number"
            ),
            ChoiceFilter(
                "band",
                "Risk",
                apply=selectors.in_band,
                choices=list(reversed(list(pages.BAND_WORDS.items()))),
            ),
        ],
        sort="-news2",
        reads=PATIENT,
        row_url=lambda row: reverse("ehr:patient", args=[row.pk]),
        prepare=_board_rows,
        csv=False,
        empty=Empty(
            "No patients yet",
            "Send a FHIR R4 Bundle to POST /api/v1/ehr/bundles with an API key of the scope ehr:write. "
            "Its patients appear here, the sickest first.",
            "stethoscope",
        ),
    )


def _board_rows(patients: list[Any]) -> Sequence[pages.BoardRow]:
    return [pages.board_row(shown) for shown in selectors.with_risk(patients)]


def _skipped(row: ImportedBundle) -> SafeString | str:
    skipped = row.report.get("skipped", {})
    return format_html_join(" ", '<span class="tag">{} {}</span>', ((n, name) for name, n in skipped.items()))


def _bundle(row: ImportedBundle) -> SafeString:
    name = row.identifier or row.digest
    return format_html('<span title="{}">{}</span>', name, name if len(name) <= 32 else f"{name[:31]}…")


def _job(row: ImportedBundle) -> SafeString | str:
    return format_html('<a href="{}">Open</a>', reverse("job", args=[row.job_id])) if row.job_id else ""


IMPORTS = Table(
    name="ehr-imports",
    label="Imports",
    columns=[
        Column("received_at", "Received", order="id"),
        Column("bundle", "Bundle", value=_bundle, csv=lambda row: row.identifier or row.digest, css="mono"),
        Column(
            "state",
            "State",
            value=lambda row: pill(*STATES[ImportState(row.state)]),
            csv=lambda row: row.state,
        ),
        Column("resources", "Resources", value=lambda row: row.report.get("resources"), css="num"),
        Column("events", "Events", value=lambda row: row.report.get("events"), css="num"),
        Column("notes", "Notes", value=lambda row: row.report.get("notes"), css="num"),
        Column("skipped", "Skipped", value=_skipped, csv=lambda row: row.report.get("skipped") or ""),
        Column("job", "Job", value=_job, csv=lambda row: row.job_id),
    ],
    filters=[
        ChoiceFilter("state", "State", lookup="state", choices=[(s.value, v[1]) for s, v in STATES.items()])
    ],
    sort="-received_at",
    live_s=5,
    empty=Empty(
        "Nothing imported yet",
        "Send a FHIR R4 Bundle to POST /api/v1/ehr/bundles with an API key of the scope ehr:write.",
        "upload",
    ),
)
