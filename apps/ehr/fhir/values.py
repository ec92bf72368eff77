"""Reading the data types of FHIR: codes, instants, names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]

# Code systems by the short names that MEDS data sets use.
SYSTEMS = {
    "http://loinc.org": "LOINC",
    "http://snomed.info/sct": "SNOMED",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10": "ICD10",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD10CM",
    "http://hl7.org/fhir/sid/cvx": "CVX",
    "http://unitsofmeasure.org": "UCUM",
}


@dataclass(slots=True, frozen=True)
class Code:
    """A coded concept in the form `SYSTEM//code`, with the words to show for it."""

    code: str
    display: str


def codes(concept: Json | None) -> Iterator[Code]:
    """Every coding of a CodeableConcept that has a code."""
    for coding in (concept or {}).get("coding") or ():
        if coding.get("code"):
            system = coding.get("system") or "LOCAL"
            yield Code(
                f"{SYSTEMS.get(system, system)}//{coding['code']}"[:200],
                (coding.get("display") or (concept or {}).get("text") or coding["code"])[:300],
            )


def code_of(concept: Json | None) -> Code:
    """The first coding; without one, the concept's text as a local code."""
    text = str((concept or {}).get("text") or "unknown")
    return next(codes(concept), Code(f"TEXT//{text}"[:200], text[:300]))


def observed_code(concept: Json | None) -> Code:
    """The LOINC coding where there is one, whatever the sender's order: measurements compare by it."""
    return next((code for code in codes(concept) if code.code.startswith("LOINC//")), code_of(concept))


def instant(value: str | None) -> datetime | None:
    """A FHIR date, dateTime or instant; a partial date is its first moment, in UTC. None if there is none."""
    if not value:
        return None
    padded = {4: f"{value}-01-01", 7: f"{value}-01"}.get(len(value), value)
    try:
        found = datetime.fromisoformat(padded)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def when(resource: Json, *names: str) -> datetime | None:
    """The first of the members that says a time; of a Period its start."""
    for name in names:
        value = resource.get(name)
        found = instant(value.get("start") if isinstance(value, Mapping) else value)
        if found:
            return found
    return None


def until(resource: Json, *names: str) -> datetime | None:
    """The end of the first of the members that has one."""
    for name in names:
        value = resource.get(name)
        found = instant(value.get("end") if isinstance(value, Mapping) else value)
        if found:
            return found
    return None


def names_of(resource: Json) -> Iterator[str]:
    """Every whole name that a Patient, Practitioner or RelatedPerson goes by, family name last."""
    for name in resource.get("name") or ():
        if isinstance(name, Mapping):
            parts = [*(name.get("given") or ()), name.get("family")]
            joined = " ".join(str(part) for part in parts if part) or str(name.get("text") or "")
            if joined:
                yield joined
