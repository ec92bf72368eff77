"""Who a FHIR Patient is: recognised by any identifier that is already known, else somebody new."""

from datetime import date
from uuid import UUID

from apps.ehr.fhir.bundle import Entry, Json
from apps.ehr.fhir.values import instant
from apps.ehr.models import PATIENT, Patient, PatientIdentifier
from rootstock.errors import Conflict
from rootstock.privacy.indexes import blind_index
from rootstock.privacy.subjects import subject_ensure

# The identity of a person who was sent without any identifier: the name of their entry.
SOURCE = "urn:rootstock:source"


def patient_upsert(organisation: UUID, entry: Entry) -> Patient:
    """Call it inside `tenant()`. Raises Conflict when the identifiers belong to two people."""
    wanted = _identifiers(entry)
    indexes = {(system, value_index(organisation, value)): (system, value) for system, value in wanted}
    known = [
        row
        for row in PatientIdentifier.objects.filter(value_index__in={index for _, index in indexes})
        .select_related("patient__subject")
        .defer("value")
        if (row.system, bytes(row.value_index)) in indexes
    ]
    owners = {row.patient for row in known}
    if len(owners) > 1:
        raise Conflict(f"{entry.path}.resource.identifier: belongs to {len(owners)} different patients")
    patient = owners.pop() if owners else _new(organisation)
    _describe(patient, entry.resource)
    patient.save()
    have = {(row.system, bytes(row.value_index)) for row in known}
    PatientIdentifier.objects.bulk_create(
        PatientIdentifier(
            organisation_id=organisation,
            patient=patient,
            subject=patient.subject,
            system=system,
            value=value,
            value_index=index,
            type=wanted[system, value],
        )
        for (system, index), (_, value) in indexes.items()
        if (system, index) not in have
    )
    return patient


def value_index(organisation: UUID, value: str) -> bytes:
    """What finds an identifier by its value, whatever system it is of."""
    return blind_index(organisation, "ehr.identifier", value)


def _new(organisation: UUID) -> Patient:
    patient = Patient(organisation_id=organisation)
    patient.subject = subject_ensure(organisation, PATIENT, str(patient.pk))
    return patient


def _identifiers(entry: Entry) -> dict[tuple[str, str], str]:
    found = {
        (str(item.get("system") or "")[:200], str(item["value"])[:200]): _type(item)
        for item in entry.resource.get("identifier") or ()
        if item.get("value")
    }
    return found or {(SOURCE, entry.key[:200]): ""}


def _type(identifier: Json) -> str:
    codings = (identifier.get("type") or {}).get("coding") or [{}]
    return str(codings[0].get("code") or "")[:20]


def _describe(patient: Patient, resource: Json) -> None:
    name = _usual_name(resource)
    born = _date(resource.get("birthDate"))
    patient.header = {
        "family": str(name.get("family") or name.get("text") or ""),
        "given": [str(given) for given in name.get("given") or ()],
        "phone": [str(t["value"]) for t in resource.get("telecom") or () if t.get("value")],
        "birth_date": born.isoformat() if born else None,
    }
    patient.sex = str(resource.get("gender") or "")
    patient.died_at = instant(resource.get("deceasedDateTime"))


def _usual_name(resource: Json) -> Json:
    names: list[Json] = resource.get("name") or [{}]
    return next((name for name in names if name.get("use") in ("official", "usual")), names[0])


def _date(value: object) -> date | None:
    found = instant(value) if isinstance(value, str) else None
    return found.date() if found else None
