"""What a resource says as events on the person's timeline, in the shape of MEDS: subject, time, code, value.

Medical Event Data Standard: https://github.com/Medical-Event-Data-Standard/meds. Free text never becomes an
event's value; it goes through `notes.py` and de-identification.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from apps.ehr.fhir.values import SYSTEMS, Code, Json, code_of, codes, observed_code, until, when

BIRTH, DEATH = Code("MEDS_BIRTH", "Born"), Code("MEDS_DEATH", "Died")
WITHDRAWN = ("entered-in-error", "cancelled")
TIMES = ("effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued")
Resolve = Callable[[str], Json | None]


@dataclass(slots=True, frozen=True)
class Happening:
    """One event. `kind` groups events for people; `unit` is a UCUM code where the sender gave one."""

    kind: str
    time: datetime | None
    code: Code
    number: float | None = None
    unit: str = ""
    text: str = ""
    until: datetime | None = None


def happenings(resource: Json, resolve: Resolve) -> list[Happening]:
    """The events of one resource; none for a withdrawn one. `resolve` finds a resource by its reference."""
    status = resource.get("status")
    verification = code_of(resource.get("verificationStatus")).code
    if status in WITHDRAWN or verification.endswith("//entered-in-error"):
        return []
    read = _READERS.get(resource["resourceType"])
    return list(read(resource, resolve)) if read else []


def _observation(resource: Json, resolve: Resolve) -> Iterator[Happening]:
    time = when(resource, *TIMES)
    kind = _observation_kind(resource)
    parts = resource.get("component") or ()
    if not parts or any(name.startswith("value") for name in resource):
        yield _measured(kind, time, resource)
    for part in parts:
        yield _measured(kind, time, part)


def _observation_kind(resource: Json) -> str:
    found = {
        c.code.rpartition("//")[2] for category in resource.get("category") or () for c in codes(category)
    }
    return "vital" if "vital-signs" in found else "laboratory" if "laboratory" in found else "observation"


def _measured(kind: str, time: datetime | None, part: Json) -> Happening:
    code = observed_code(part.get("code"))
    quantity = part.get("valueQuantity")
    if isinstance(quantity, Mapping):
        number = quantity.get("value")
        return Happening(kind, time, code, None if number is None else float(number), _unit(quantity))
    if isinstance(part.get("valueBoolean"), bool):
        return Happening(
            kind, time, code, float(part["valueBoolean"]), text=str(part["valueBoolean"]).lower()
        )
    if isinstance(part.get("valueInteger"), int):
        return Happening(kind, time, code, float(part["valueInteger"]))
    if isinstance(part.get("valueCodeableConcept"), Mapping):
        answer = next(codes(part["valueCodeableConcept"]), None)
        return Happening(kind, time, code, text=f"{answer.display} [{answer.code}]" if answer else "")
    return Happening(kind, time, code, text=str(part.get("valueDateTime") or part.get("valueTime") or ""))


def _unit(quantity: Json) -> str:
    system = SYSTEMS.get(str(quantity.get("system")))
    return str(
        (quantity.get("code") if system == "UCUM" else None)
        or quantity.get("unit")
        or quantity.get("code")
        or ""
    )[:60]


def _patient(resource: Json, resolve: Resolve) -> Iterator[Happening]:
    yield Happening("person", when(resource, "birthDate"), BIRTH)
    if death := when(resource, "deceasedDateTime"):
        yield Happening("person", death, DEATH)


def _encounter(resource: Json, resolve: Resolve) -> Iterator[Happening]:
    kinds = resource.get("type") or [None]
    code = code_of(kinds[0])
    if code.code == "TEXT//unknown":
        place = resource.get("class") or {}
        code = Code(f"ENCOUNTER//{place.get('code', 'unknown')}", str(place.get("display") or "Encounter"))
    yield Happening("encounter", when(resource, "period"), code, until=until(resource, "period"))


def _condition(resource: Json, resolve: Resolve) -> Iterator[Happening]:
    start = when(resource, "onsetDateTime", "onsetPeriod", "recordedDate")
    state = code_of(resource.get("clinicalStatus")).code.rpartition("//")[2]
    end = until(resource, "abatementDateTime", "abatementPeriod")
    yield Happening("condition", start, code_of(resource.get("code")), text=state, until=end)


def _medication(resource: Json, resolve: Resolve) -> Iterator[Happening]:
    concept = resource.get("medicationCodeableConcept")
    reference = (resource.get("medicationReference") or {}).get("reference")
    if concept is None and reference:
        concept = (resolve(reference) or {}).get("code")
    time = when(resource, "authoredOn", "effectiveDateTime", "effectivePeriod", "dateAsserted")
    end = until(resource, "effectivePeriod")
    yield Happening("medication", time, code_of(concept), text=str(resource.get("status") or ""), until=end)


def _simple(kind: str, concept: str, *times: str) -> Callable[[Json, Resolve], Iterator[Happening]]:
    def read(resource: Json, resolve: Resolve) -> Iterator[Happening]:
        text = "" if isinstance(resource.get("status"), Mapping) else str(resource.get("status") or "")
        yield Happening(kind, when(resource, *times), code_of(resource.get(concept)), text=text)

    return read


def _document(resource: Json, resolve: Resolve) -> Iterator[Happening]:
    kind = next(codes(resource.get("type")), Code("DOCUMENT//note", "Note"))
    yield Happening("note", when(resource, "date", "effectiveDateTime", "issued"), kind)


_READERS: Mapping[str, Callable[[Json, Resolve], Iterator[Happening]]] = {
    "Patient": _patient,
    "Encounter": _encounter,
    "Observation": _observation,
    "Condition": _condition,
    "MedicationRequest": _medication,
    "MedicationAdministration": _medication,
    "MedicationStatement": _medication,
    "Procedure": _simple("procedure", "code", "performedDateTime", "performedPeriod"),
    "Immunization": _simple("immunization", "vaccineCode", "occurrenceDateTime"),
    "AllergyIntolerance": _simple("allergy", "code", "onsetDateTime", "recordedDate"),
    "DiagnosticReport": _simple("report", "code", "effectiveDateTime", "effectivePeriod", "issued"),
    "DocumentReference": _document,
    "Flag": _simple("flag", "code", "period"),
}
