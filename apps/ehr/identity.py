"""Who a FHIR Patient is: recognised by any identifier that is already known, else somebody new."""

from datetime import date
from uuid import UUID

from apps.ehr.fhir.bundle import Entry, Json
from apps.ehr.fhir.values import instant
from apps.ehr.models import Patient, PatientIdentifier
from rootstock.errors import Conflict

# The identity of a person who was sent without any identifier: the name of their entry.
SOURCE = "urn:rootstock:source"


def patient_upsert(organisation: UUID, entry: Entry) -> Patient:
    """Call it inside `tenant()`. Raises Conflict when the identifiers belong to two people."""
    wanted = _identifiers(entry)
    known = list(
        PatientIdentifier.objects.filter(value__in={value for _, value in wanted}).select_related("patient")
    )
    owners = {row.patient for row in known if (row.system, row.value) in wanted}
    if len(owners) > 1:
        raise Conflict(f"{entry.path}.resource.identifier: belongs to {len(owners)} different patients")
    patient = owners.pop() if owners else Patient(organisation_id=organisation)
    _describe(patient, entry.resource)
    patient.save()
    have = {(row.system, row.value) for row in known if row.patient_id == patient.pk}
    PatientIdentifier.objects.bulk_create(
        PatientIdentifier(
            organisation_id=organisation,
            patient=patient,
            system=system,
            value=value,
            type=wanted[system, value],
        )
        for system, value in wanted.keys() - have
    )
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
    patient.header = {
        "family": str(name.get("family") or name.get("text") or ""),
        "given": [str(given) for given in name.get("given") or ()],
        "phone": [str(t["value"]) for t in resource.get("telecom") or () if t.get("value")],
    }
    patient.sex = str(resource.get("gender") or "")
    patient.birth_date = _date(resource.get("birthDate"))
    patient.died_at = instant(resource.get("deceasedDateTime"))


def _usual_name(resource: Json) -> Json:
    names: list[Json] = resource.get("name") or [{}]
    return next((name for name in names if name.get("use") in ("official", "usual")), names[0])


def _date(value: object) -> date | None:
    found = instant(value) if isinstance(value, str) else None
    return found.date() if found else None
