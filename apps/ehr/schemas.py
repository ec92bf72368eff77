"""What the REST API of records answers with."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from ninja import Schema

from apps.ehr.events import shown_code
from apps.ehr.models import Event, ImportedBundle, Note, NoteState, RiskScore
from apps.ehr.selectors import Shown


class BundleOut(Schema):
    """A Bundle that was accepted. `report` counts what was stored and names what was not read."""

    id: UUID
    digest: str
    identifier: str
    state: str
    job_id: UUID | None
    replayed: bool
    received_at: datetime
    completed_at: datetime | None
    report: dict[str, Any]


class IdentifierOut(Schema):
    """A number that a system knows the person by."""

    system: str
    value: str
    type: str


class RiskOut(Schema):
    """NEWS2 of one round of observations. With anything missing, `total` is a lower bound."""

    model: str
    at: datetime
    total: int
    highest_possible: int
    band: str
    complete: bool
    points: dict[str, int]
    inputs: dict[str, Any]
    missing: list[str]
    refused: dict[str, str]
    not_applicable: str


class PatientOut(Schema):
    """A patient with the newest score."""

    id: UUID
    name: str
    birth_date: date | None
    sex: str
    died_at: datetime | None
    last_seen_at: datetime | None
    identifiers: list[IdentifierOut]
    risk: RiskOut | None


class EventOut(Schema):
    """An event in the shape of MEDS: time, code, numeric_value, text_value."""

    id: UUID
    kind: str
    time: datetime | None
    until: datetime | None
    code: str
    display: str
    numeric_value: float | None
    unit: str
    text_value: str
    resource: str


class RedactionOut(Schema):
    """A placeholder in a de-identified text, and what found the identifier it stands for."""

    start: int
    end: int
    label: str
    sources: list[str]


class NoteOut(Schema):
    """A note. `text` is null while it is withheld; `original` is null unless it was asked for."""

    id: UUID
    title: str
    time: datetime | None
    state: str
    text: str | None
    redactions: list[RedactionOut]
    model: str
    original: str | None


def bundle_out(row: ImportedBundle, *, replayed: bool = False) -> dict[str, Any]:
    """A Bundle's state."""
    names = ("id", "digest", "identifier", "state", "job_id", "received_at", "completed_at", "report")
    return {name: getattr(row, name) for name in names} | {"replayed": replayed}


def patient_out(shown: Shown) -> PatientOut:
    """A patient's header."""
    patient = shown.patient
    return PatientOut(
        id=patient.pk,
        name=patient.name,
        birth_date=patient.birth_date,
        sex=patient.sex,
        died_at=patient.died_at,
        last_seen_at=patient.last_seen_at,
        identifiers=[IdentifierOut.from_orm(row) for row in patient.identifiers.all()],
        risk=risk_out(shown.risk) if shown.risk else None,
    )


def risk_out(row: RiskScore) -> RiskOut:
    """A score."""
    return RiskOut.from_orm(row)


def event_out(row: Event) -> EventOut:
    """An event."""
    return EventOut(
        id=row.pk, kind=row.kind, time=row.time, until=row.until, code=shown_code(row), display=row.display,
        numeric_value=row.number, unit=row.unit, text_value=row.text, resource=row.resource.key,
    )  # fmt: skip


def note_out(row: Note, original: str | None = None) -> NoteOut:
    """A note without its identifiers; one that is withheld has no text."""
    ready = row.state == NoteState.READY
    return NoteOut(
        id=row.pk,
        title=row.title,
        time=row.time,
        state=row.state,
        text=row.text if ready else None,
        redactions=[RedactionOut(**redaction) for redaction in row.redactions] if ready else [],
        model=row.model,
        original=original,
    )
