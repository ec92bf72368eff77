"""Pages of records: the ward board, a patient, the imports."""

from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render

from apps.ehr import pages, selectors
from apps.ehr.evidence import PATIENT
from apps.ehr.models import ImportedBundle
from apps.ehr.selectors import Shown, TimelineFilter
from apps.ehr.tables import IMPORTS, board_table
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.audit.services import read_record
from rootstock.console.lists import next_url
from rootstock.console.tables import table_page

READ = "ehr:read"


@tenant_page(READ)
def ward_board(request: PageRequest) -> HttpResponseBase:
    """Patients by risk."""
    return table_page(request, board_table(request.organisation), selectors.patients(), "ehr/board.html")


@tenant_page(READ)
def patient_page(request: PageRequest, patient_id: UUID) -> HttpResponse:
    """NEWS2, vital signs and the latest events."""
    shown = selectors.patient_get(organisation=request.organisation, patient_id=patient_id)
    scores = selectors.risk_list(organisation=request.organisation, patient_id=patient_id)
    events, _ = selectors.timeline_page(organisation=request.organisation, patient_id=patient_id, limit=12)
    _was_read(request, patient_id, "record")
    context = _header(shown, "overview") | {
        "lines": pages.news_lines(shown.risk) if shown.risk else [],
        "charts": pages.charts(scores),
        "events": [(event, pages.event_tone(event), pages.event_value(event)) for event in events],
    }
    return render(request, "ehr/patient.html", context)


@tenant_page(READ)
def timeline_page(request: PageRequest, patient_id: UUID) -> HttpResponse:
    """The whole timeline with filters."""
    shown = selectors.patient_get(organisation=request.organisation, patient_id=patient_id)
    kind = request.GET.get("kind", "")
    events, following = selectors.timeline_page(
        organisation=request.organisation,
        patient_id=patient_id,
        wanted=TimelineFilter(kind=kind),
        cursor=request.GET.get("cursor") or None,
    )
    _was_read(request, patient_id, "timeline")
    context = _header(shown, "timeline") | {
        "events": [(event, pages.event_tone(event), pages.event_value(event)) for event in events],
        "filters": pages.kind_filters(kind),
        "kind": kind,
        "next_url": next_url(request.GET, following),
    }
    return render(request, "ehr/timeline.html", context)


@tenant_page(READ)
def notes_page(request: PageRequest, patient_id: UUID) -> HttpResponse:
    """De-identified notes. The part that waits for the worker renews itself."""
    shown = selectors.patient_get(organisation=request.organisation, patient_id=patient_id)
    notes, following = selectors.notes_page(
        organisation=request.organisation,
        patient_id=patient_id,
        cursor=request.GET.get("cursor") or None,
        limit=20,
    )
    views = [pages.note_view(note) for note in notes]
    _was_read(request, patient_id, "notes")
    context = _header(shown, "notes") | {
        "notes": views,
        "waiting": not all(view.ready for view in views),
        "next_url": next_url(request.GET, following),
    }
    part = request.headers.get("HX-Request") == "true"
    return render(request, "ehr/notes_live.html" if part else "ehr/notes.html", context)


@tenant_page(READ)
def imports_page(request: PageRequest) -> HttpResponseBase:
    """The Bundles received last."""
    return table_page(request, IMPORTS, ImportedBundle.objects.defer("content"), "ehr/imports.html")


def _was_read(request: PageRequest, patient_id: UUID, what: str) -> None:
    read_record(organisation=request.organisation, subject_type=PATIENT, subject_id=patient_id, what=what)


def _header(shown: Shown, tab: str) -> dict[str, object]:
    return {"row": pages.board_row(shown), "patient": shown.patient, "risk": shown.risk, "tab": tab}
