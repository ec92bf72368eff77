"""Events of a timeline from a resource: which of their words are kept plain, and in what form."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from apps.ehr.fhir.timeline import BIRTH, Happening, happenings
from apps.ehr.fhir.values import Json
from apps.ehr.models import Event, Patient, Resource
from rootstock.privacy.indexes import blind_index

UNCODED = "TEXT//"
# FHIR's words for the states of conditions, flags, orders and procedures. Any other text may be anything.
STATUSES = frozenset({
    "active", "recurrence", "relapse", "inactive", "remission", "resolved", "completed", "on-hold", "stopped",
    "draft", "unknown", "final", "preliminary", "amended", "corrected", "registered", "in-progress", "finished",
    "planned", "not-done",
})  # fmt: skip
OTHER_STATUS = "other"


def of_resource(row: Resource, patient: Patient, resolve: Callable[[str], Json | None]) -> list[Event]:
    """The events of one resource, not yet stored."""
    return [_event(row, patient, found) for found in happenings(row.content, resolve)]


def _event(row: Resource, patient: Patient, found: Happening) -> Event:
    found = _birth(found) if found.code.code == BIRTH.code else found
    return Event(
        organisation_id=row.organisation_id, patient=patient, subject=patient.subject, resource=row,
        kind=found.kind, time=found.time, until=found.until, number=found.number, unit=found.unit,
        code=stored_code(row.organisation_id, found.code.code), display=found.code.display,
        status=status_of(found.text), text=found.text[:400],
    )  # fmt: skip


def _birth(found: Happening) -> Happening:
    """The plain column tells the year; the whole date is in the text."""
    if found.time is None:
        return found
    year = found.time.replace(month=1, day=1, hour=0, minute=0, second=0)
    return replace(found, time=year, text=found.time.date().isoformat())


def status_of(text: str) -> str:
    """A known word as it is, any other as `other`."""
    return text if text in STATUSES else OTHER_STATUS if text else ""


def stored_code(organisation: UUID, code: str) -> str:
    """A coded concept as it is; of one in words a digest, which finds equal words and tells none."""
    if not code.startswith(UNCODED):
        return code
    return UNCODED + blind_index(organisation, "ehr.code", code).hex()[:32]


def shown_code(event: Event) -> str:
    """The code as the sender gave it."""
    return f"{UNCODED}{event.display}"[:200] if event.code.startswith(UNCODED) else event.code
