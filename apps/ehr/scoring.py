"""NEWS2 of a patient, from the timeline."""

from datetime import UTC, datetime, time
from time import perf_counter
from uuid import UUID

from django.db.models import Q

from apps.ehr import vitals
from apps.ehr.evidence import score_facts
from apps.ehr.models import Event, EventKind, Patient, RiskScore
from rootstock.audit.decisions import decisions_record

MODEL = "news2"
BANDS = ("low", "low_medium", "medium", "high")
_SCORED = (
    "total", "highest_possible", "band", "complete", "points", "inputs", "missing", "refused", "not_applicable",
)  # fmt: skip


def news2_refresh(patient: Patient, job_id: UUID | None = None) -> int:
    """Score all rounds of the patient anew; late data may have changed any of them. Gives their number."""
    started = perf_counter()
    scored = vitals.score_sets(_signs(patient), _scale_2_since(patient))
    rows = [_row(patient, found, _not_applicable(patient, found.at)) for found in scored]
    latency = (perf_counter() - started) * 1000 / max(len(rows), 1)
    changed = _changed(patient, rows)
    RiskScore.objects.filter(patient=patient, model=MODEL).exclude(at__in=[row.at for row in rows]).delete()
    RiskScore.objects.bulk_create(
        rows,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["patient", "model", "at"],
        update_fields=[*_SCORED],
    )
    decisions_record(
        organisation=patient.organisation_id,
        records=[score_facts(row, latency) for row in changed],
        job_id=job_id,
    )
    patient.news2_rank = rank(rows[-1]) if rows else -1
    patient.save(update_fields=["news2_rank"])
    return len(rows)


def _changed(patient: Patient, rows: list[RiskScore]) -> list[RiskScore]:
    """The rounds that are new or come out differently: those are decisions to record."""
    known = {row.at: row for row in RiskScore.objects.filter(patient=patient, model=MODEL)}
    return [
        row
        for row in rows
        if row.at not in known or any(getattr(row, name) != getattr(known[row.at], name) for name in _SCORED)
    ]


def rank(score: RiskScore) -> int:
    """The ward list's order: band first, then points. -1 where NEWS2 does not hold."""
    return -1 if score.not_applicable else BANDS.index(score.band) * 100 + score.total


def _signs(patient: Patient) -> list[vitals.Sign]:
    rows = Event.objects.filter(patient=patient, code__in=vitals.CODES, time__isnull=False)
    return [
        vitals.Sign(row.time, row.code, row.number, row.unit, row.text)
        for row in rows.order_by("time", "id")
        if row.time
    ]


def _scale_2_since(patient: Patient) -> datetime | None:
    flags = Event.objects.filter(patient=patient, kind=EventKind.FLAG, code=vitals.SCALE_2, status="active")
    return flags.order_by("time").values_list("time", flat=True).first()


def _not_applicable(patient: Patient, at: datetime) -> str:
    born = datetime.combine(patient.birth_date, time(), UTC) if patient.birth_date else None
    pregnancies = Event.objects.filter(patient=patient, kind=EventKind.CONDITION, code=vitals.PREGNANCY)
    pregnant = pregnancies.filter(Q(time__isnull=True) | Q(time__lte=at))
    going_on = pregnant.filter(Q(until__gt=at) | Q(until__isnull=True, status__in=("active", "")))
    return vitals.not_applicable(born, at, going_on.exists())


def _row(patient: Patient, found: vitals.Scored, not_applicable: str) -> RiskScore:
    score = found.score
    return RiskScore(
        organisation_id=patient.organisation_id,
        patient=patient,
        model=MODEL,
        at=found.at,
        total=score.total,
        highest_possible=score.highest_possible,
        band=score.band.value,
        complete=score.complete,
        points={parameter.value: points for parameter, points in score.points.items()},
        inputs=found.inputs,
        missing=[parameter.value for parameter in score.missing],
        refused=found.refused,
        not_applicable=not_applicable,
    )
