"""The personal data of records: patients, and the people and places that resources outside of care name."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import CharField, Model, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce, Concat

from apps.ehr.events import shown_code
from apps.ehr.fhir.timeline import BIRTH
from apps.ehr.models import (
    OTHER,
    PATIENT,
    Event,
    Note,
    Patient,
    PatientIdentifier,
    Resource,
    RiskScore,
)
from apps.ehr.selectors import owners
from rootstock.privacy.holdings import Expiring, Holdings, Kind, SubjectType, key_release
from rootstock.privacy.holds import held_subjects
from rootstock.privacy.keys import SubjectKey
from rootstock.privacy.subjects import keys_locked, subject_find

PATIENTS_AT_ONCE = 20

Export = Callable[[SubjectKey], Iterator[dict[str, Any]]]


def _find_patients(organisation: UUID, reference: str) -> list[SubjectKey]:
    wanted = Q(pk__in=Patient.objects.filter(pk__in=owners(organisation, reference)).values("subject"))
    return list(SubjectKey.objects.filter(wanted, destroyed_at=None))


def _find_others(organisation: UUID, reference: str) -> list[SubjectKey]:
    found = subject_find(organisation, OTHER, reference)
    return [found] if found else []


def _columns(rows: Callable[[SubjectKey], QuerySet[Any]], *names: str) -> Export:
    def export(key: SubjectKey) -> Iterator[dict[str, Any]]:
        for row in rows(key).order_by("pk").iterator():
            yield {name: getattr(row, name) for name in names}

    return export


def _kind(name: str, label: str, rows: Callable[[SubjectKey], QuerySet[Any]], *names: str) -> Kind:
    return Kind(f"ehr.{name}", label, lambda key: rows(key).count(), _columns(rows, "id", *names))


def _of_patient(model: Any) -> Callable[[SubjectKey], QuerySet[Any]]:
    return lambda key: model.objects.filter(patient__subject=key)


def _events(key: SubjectKey) -> Iterator[dict[str, Any]]:
    for row in Event.objects.filter(patient__subject=key).order_by("pk").iterator():
        yield {
            "id": row.pk, "kind": row.kind, "time": row.time, "until": row.until, "code": shown_code(row),
            "display": row.display, "number": row.number, "unit": row.unit, "text": row.text,
        }  # fmt: skip


def _scrub_patient(key: SubjectKey) -> None:
    """What stays of the record are codes, numbers and times that lead to nobody."""
    patients = Patient.objects.filter(subject=key)
    PatientIdentifier.objects.filter(patient__in=patients).delete()
    Resource.objects.filter(patient__in=patients).update(key=_nameless())
    Event.objects.filter(patient__in=patients, code=BIRTH.code).update(time=None)
    patients.update(sex="", died_at=None)


def _scrub_other(key: SubjectKey) -> None:
    others = Resource.objects.filter(subject=key, patient=None)
    others.update(key=_nameless())


def _nameless() -> Concat:
    """Instead of a key that the sender chose."""
    return Concat(Value("erased/"), Cast("id", CharField()))


def _delete_patients(organisation: UUID, before: datetime, most: int) -> int:
    seen = Coalesce("last_seen_at", "created_at")
    old = Patient.objects.annotate(seen=seen).filter(seen__lt=before).exclude(subject__in=held_subjects())
    chosen = list(old.order_by("seen")[:most])
    keys = keys_locked([row.subject_id for row in chosen])
    for model in (Event, Note, RiskScore, PatientIdentifier, Resource):
        _rows(model).filter(patient__in=chosen).delete()
    Patient.objects.filter(pk__in=[row.pk for row in chosen]).delete()
    for key in keys:
        key_release(key)
    return len(chosen)


def _rows(model: type[Model]) -> QuerySet[Any]:
    return model._default_manager.all()


_PATIENT_KINDS = (
    _kind(
        "person", "Name, contact and date of birth", lambda key: Patient.objects.filter(subject=key),
        "header", "sex", "died_at", "last_seen_at", "created_at",
    ),
    _kind("identifiers", "Identifiers", _of_patient(PatientIdentifier), "system", "value", "type"),
    _kind("resources", "Resources as they were received", _of_patient(Resource), "type", "key", "content"),
    Kind("ehr.events", "Timeline", lambda key: Event.objects.filter(patient__subject=key).count(), _events),
    _kind("notes", "Notes", _of_patient(Note), "title", "time", "original", "text", "state"),
    _kind("scores", "Risk scores", _of_patient(RiskScore), "model", "at", "total", "band", "inputs", "missing"),
)  # fmt: skip
HOLDINGS = Holdings(
    subjects=(
        SubjectType(
            PATIENT,
            "Patient",
            "an identifier, such as the record number; or system|value",
            _find_patients,
            _PATIENT_KINDS,
            _scrub_patient,
        ),
        SubjectType(
            OTHER,
            "Person or place named by records",
            "the resource, such as Practitioner/17",
            _find_others,
            (
                _kind(
                    "others",
                    "Resource as it was received",
                    lambda key: Resource.objects.filter(subject=key, patient=None),
                    "type",
                    "key",
                    "content",
                ),
            ),
            _scrub_other,
        ),
    ),
    expiring=(
        Expiring(
            "ehr.patients",
            "Patients with everything of them",
            "when they were last seen",
            _delete_patients,
            lambda: Patient.objects.exists(),
            PATIENTS_AT_ONCE,
        ),
    ),
)
