"""Reads on records. Each is one transaction of the organisation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import F, Model, Prefetch, Q, QuerySet

from apps.ehr.events import stored_code
from apps.ehr.identity import value_index
from apps.ehr.models import (
    Event,
    EventKind,
    ImportedBundle,
    Note,
    NoteState,
    Patient,
    PatientIdentifier,
    RiskScore,
)
from apps.ehr.scoring import MODEL
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput, NotFound
from rootstock.paging import MAX_LIMIT

M = TypeVar("M", bound=Model)
CHARTED = 60


@dataclass(slots=True, frozen=True)
class TimelineFilter:
    """What to show of a timeline; empty means all."""

    kind: str = ""
    code: str = ""
    since: datetime | None = None
    before: datetime | None = None


@dataclass(slots=True, frozen=True)
class Shown:
    """A patient with the newest NEWS2, if there is one."""

    patient: Patient
    risk: RiskScore | None


def patient_page(
    *,
    organisation: Organisation,
    cursor: str | None = None,
    limit: int = 50,
    identifier: str = "",
    band: str = "",
) -> tuple[list[Shown], str | None]:
    """Patients by risk, highest first. `identifier` is a value or `system|value`, as in a FHIR search."""
    with tenant(organisation):
        found = patients()
        if identifier:
            found = found.filter(pk__in=owners(organisation.pk, identifier))
        if band:
            found = in_band(found, band)
        keyed = _after(
            found, cursor, lambda rank, pk: Q(news2_rank__lt=int(rank)) | Q(news2_rank=int(rank), pk__lt=pk)
        )
        rows, following = _page(keyed.order_by("-news2_rank", "-pk"), limit, lambda row: str(row.news2_rank))
        return with_risk(rows), following


def patients() -> QuerySet[Patient]:
    """Patients with their identifiers. Evaluate it inside `tenant()`."""
    return Patient.objects.prefetch_related(_identifiers())


def in_band(found: QuerySet[Patient], band: str) -> QuerySet[Patient]:
    """Those whose newest score lies in a band."""
    return found.filter(news2_rank__gte=0, risk_scores__in=_newest().filter(band=band))


def with_risk(rows: Sequence[Patient]) -> list[Shown]:
    """Each patient with the newest score. Call it inside `tenant()`."""
    newest = {score.patient_id: score for score in _newest().filter(patient__in=rows)}
    return [Shown(row, newest.get(row.pk)) for row in rows]


def patient_get(*, organisation: Organisation, patient_id: UUID) -> Shown:
    """One patient. Raises NotFound, also for another organisation's."""
    with tenant(organisation):
        patient = Patient.objects.prefetch_related(_identifiers()).filter(pk=patient_id).first()
        if patient is None:
            raise NotFound("no such patient")
        return Shown(patient, _newest().filter(patient=patient).first())


def timeline_page(
    *,
    organisation: Organisation,
    patient_id: UUID,
    wanted: TimelineFilter | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> tuple[list[Event], str | None]:
    """Events, latest first; those without a time last."""
    patient_get(organisation=organisation, patient_id=patient_id)
    with tenant(organisation):
        events = Event.objects.filter(patient_id=patient_id)
        found = _filtered(organisation.pk, events, wanted or TimelineFilter())
        keyed = _after(found.select_related("resource"), cursor, _earlier)
        return _page(keyed.order_by(F("time").desc(nulls_last=True), "-pk"), limit, _moment)


def notes_page(
    *, organisation: Organisation, patient_id: UUID, cursor: str | None = None, limit: int = 50
) -> tuple[list[Note], str | None]:
    """Notes, latest first, without their originals."""
    patient_get(organisation=organisation, patient_id=patient_id)
    with tenant(organisation):
        keyed = _after(Note.objects.filter(patient_id=patient_id).defer("original"), cursor, _earlier)
        return _page(keyed.order_by(F("time").desc(nulls_last=True), "-pk"), limit, _moment)


def originals(*, organisation: Organisation, note_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The texts as they were received. Callers check the scope `ehr:identified` first."""
    with tenant(organisation):
        return {note.pk: note.original for note in Note.objects.filter(pk__in=note_ids)}


def risk_list(*, organisation: Organisation, patient_id: UUID, limit: int = CHARTED) -> list[RiskScore]:
    """The newest scores, oldest of them first."""
    patient_get(organisation=organisation, patient_id=patient_id)
    with tenant(organisation):
        scores = RiskScore.objects.filter(patient_id=patient_id, model=MODEL).order_by("-at")
        return list(scores[: _limit(limit)])[::-1]


def bundle_get(*, organisation: Organisation, bundle_id: UUID) -> ImportedBundle:
    """How far a Bundle has come."""
    with tenant(organisation):
        row = ImportedBundle.objects.defer("content").filter(pk=bundle_id).first()
    if row is None:
        raise NotFound("no such Bundle")
    return row


def counts(*, organisation: Organisation) -> dict[str, int]:
    """For the home page: patients, how many of them at high risk, notes that are withheld."""
    with tenant(organisation):
        return {
            "patients": Patient.objects.count(),
            "high": Patient.objects.filter(news2_rank__gte=300).count(),
            "withheld": Note.objects.filter(state=NoteState.WITHHELD).count(),
        }


def _newest() -> QuerySet[RiskScore]:
    scores = RiskScore.objects.filter(model=MODEL).order_by("patient_id", "-at").distinct("patient_id")
    return RiskScore.objects.filter(pk__in=scores.values("pk"))


def _identifiers() -> "Prefetch[Any, Any, Any]":
    return Prefetch("identifiers", PatientIdentifier.objects.order_by("pk"))


def owners(organisation: UUID, identifier: str) -> QuerySet[Any, Any]:
    """The ids of patients with this identifier: a value, or `system|value`. Call it inside `tenant()`."""
    system, bar, value = identifier.rpartition("|")
    found = PatientIdentifier.objects.filter(value_index=value_index(organisation, value))
    return (found.filter(system=system.strip()) if bar else found).values("patient_id")


def _filtered(organisation: UUID, events: QuerySet[Event], wanted: TimelineFilter) -> QuerySet[Event]:
    if wanted.kind:
        if wanted.kind not in EventKind.values:
            raise InvalidInput.field("kind", f"must be one of {', '.join(EventKind.values)}")
        events = events.filter(kind=wanted.kind)
    if wanted.code:
        events = events.filter(code=stored_code(organisation, wanted.code))
    if wanted.since:
        events = events.filter(time__gte=wanted.since)
    return events.filter(time__lt=wanted.before) if wanted.before else events


def _moment(row: Any) -> str:
    return row.time.isoformat() if row.time else ""


def _earlier(moment: str, pk: UUID) -> Q:
    if not moment:
        return Q(time__isnull=True, pk__lt=pk)
    time = datetime.fromisoformat(moment)
    return Q(time__lt=time) | Q(time=time, pk__lt=pk) | Q(time__isnull=True)


def _after(found: QuerySet[M], cursor: str | None, condition: Callable[[str, UUID], Q]) -> QuerySet[M]:
    """The rows behind a cursor, which is the last row's place in the order and its id."""
    if not cursor:
        return found
    place, _, pk = cursor.rpartition("~")
    try:
        return found.filter(condition(place, UUID(pk)))
    except ValueError:
        raise InvalidInput.field("cursor", "is not a cursor of this list") from None


def _page(found: QuerySet[M], limit: int, place: Callable[[Any], str]) -> tuple[list[M], str | None]:
    limit = _limit(limit)
    rows = list(found[: limit + 1])
    shown = rows[:limit]
    return shown, f"{place(shown[-1])}~{shown[-1].pk}" if len(rows) > limit else None


def _limit(limit: int) -> int:
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput.field("limit", f"must be between 1 and {MAX_LIMIT}")
    return limit
