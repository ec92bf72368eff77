"""Made-up patients as FHIR R4 Bundles, for the demo and the tests. Nobody in here exists."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from apps.ehr.scenarios import SCENARIOS, Reading, Scenario

Json = dict[str, Any]

HOSPITAL = "St Brannoc Hospital"
MRN_SYSTEM = "urn:oid:2.16.840.1.113883.19.5"
ROUNDS = 6
_NAMES = (
    ("Marguerite", "Halloran", "female"), ("Tobias", "Wrenfield", "male"), ("Oluwaseun", "Bankole", "male"),
    ("Ingeborg", "Tveit", "female"), ("Rafael", "Quintanilha", "male"), ("Meera", "Chandrasekaran", "female"),
    ("Cormac", "Delahunty", "male"), ("Yelena", "Morozova", "female"), ("Hamish", "Abercrombie", "male"),
    ("Noor", "Al-Rashid", "female"), ("Lieselotte", "Brandt", "female"), ("Kofi", "Asante", "male"),
)  # fmt: skip
_DOCTORS = ("Philippa Greystoke", "Anders Holmquist", "Ruth Okonkwo", "Julian Castellano", "Wei Ling Tan")
_RELATIVES = ("Beatrice", "Leonard", "Samira", "Dominic", "Henrike", "Callum")
_TOWNS = ("Barnstaple", "Ilfracombe", "Bideford", "Torrington", "Braunton")
_STREETS = ("Quay Lane", "Old Mill Road", "Castle Street", "Chapel Hill", "Newport Terrace")
_EMPLOYERS = ("Harcombe Joinery", "Pilton Academy", "Tarka Dairies", "Lundy Ferries Ltd")


@dataclass(slots=True, frozen=True)
class Person:
    """Everything by which a made-up patient could be recognised."""

    given: str
    family: str
    birth: date
    mrn: str
    phone: str
    street: str
    town: str
    postcode: str
    doctor: str
    relative: str
    relative_phone: str
    employer: str
    sex: str

    @property
    def name(self) -> str:
        """Given name and family name."""
        return f"{self.given} {self.family}"


@dataclass(slots=True, frozen=True)
class Case:
    """A Bundle, what NEWS2 must be, and the strings that no de-identified note may contain."""

    scenario: Scenario
    person: Person
    bundle: Json
    planted: tuple[str, ...]
    events: int


def case(index: int, now: datetime | None = None) -> Case:
    """The made-up patient number `index`; the same number is always the same person, but for the times."""
    random = Random(index)
    scenario = SCENARIOS[index % len(SCENARIOS)]
    person = _person(index, random)
    moment = (now or datetime.now(UTC)).replace(microsecond=0) - timedelta(minutes=random.randint(5, 50))
    builder = _Builder(random, person, moment)
    builder.build(scenario)
    return Case(scenario, person, builder.bundle(), _planted(person, builder.texts, moment), builder.events)


def _person(index: int, random: Random) -> Person:
    given, family, sex = _NAMES[index % len(_NAMES)]
    digits = [random.randint(0, 9) for _ in range(20)]
    return Person(
        given=given,
        family=family,
        birth=date(1931, 1, 1) + timedelta(days=random.randint(0, 20000)),
        mrn="".join(str(d) for d in digits[:7]),
        phone="07700 900" + "".join(str(d) for d in digits[7:10]),
        street=f"{random.randint(2, 180)} {random.choice(_STREETS)}",
        town=random.choice(_TOWNS),
        postcode=f"EX{digits[10]}{digits[11]} {digits[12]}QT",
        doctor=random.choice(_DOCTORS),
        relative=random.choice(_RELATIVES),
        relative_phone="01632 960" + "".join(str(d) for d in digits[13:16]),
        employer=random.choice(_EMPLOYERS),
        sex=sex,
    )


def _planted(person: Person, texts: Sequence[str], moment: datetime) -> tuple[str, ...]:
    """Those identifiers that really stand in the notes."""
    candidates = {
        person.name, person.given, person.family, person.mrn, person.phone, person.street, person.town,
        person.postcode, person.doctor, person.doctor.split()[-1], person.relative, person.relative_phone,
        person.employer, HOSPITAL, f"{person.birth:%d/%m/%Y}", f"{moment:%-d %B %Y}", f"{moment:%d/%m/%Y}",
    }  # fmt: skip
    return tuple(sorted(word for word in candidates if any(word in text for text in texts)))


class _Builder:
    """Adds entry by entry; each is referred to by its fullUrl."""

    def __init__(self, random: Random, person: Person, moment: datetime) -> None:
        self._random, self._person, self._moment = random, person, moment
        self._entries: list[Json] = []
        self.texts: list[str] = []
        self.events = 0

    def bundle(self) -> Json:
        """The transaction."""
        return {
            "resourceType": "Bundle",
            "type": "transaction",
            "timestamp": self._moment.isoformat(),
            "entry": self._entries,
        }

    def build(self, scenario: Scenario) -> None:
        """One stay: admission, rounds of observations, diagnosis, drug, notes."""
        patient = self._patient()
        about = {"subject": {"reference": patient}}
        doctor = self._add({"resourceType": "Practitioner", "name": [_human(self._person.doctor)]}, events=0)
        self._add({"resourceType": "Organization", "name": HOSPITAL}, events=0)
        admitted = self._moment - timedelta(hours=4 * ROUNDS)
        stay = self._add(_encounter(admitted) | about, events=1)
        code, display = scenario.condition
        active = _concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active", "Active")
        self._add(
            {
                "resourceType": "Condition", "code": _concept("http://snomed.info/sct", code, display),
                "clinicalStatus": active, "onsetDateTime": admitted.isoformat(),
                "encounter": {"reference": stay},
            } | about,
            events=1,
        )  # fmt: skip
        drug = _concept("http://www.nlm.nih.gov/research/umls/rxnorm", *scenario.medication)
        self._add(
            {
                "resourceType": "MedicationRequest", "status": "active", "intent": "order",
                "medicationCodeableConcept": drug, "authoredOn": admitted.isoformat(),
                "requester": {"reference": doctor},
            } | about,
            events=1,
        )  # fmt: skip
        if scenario.scale_2:
            self._add(_scale_2(admitted) | about, events=1)
        self._rounds(scenario.readings, about)
        self._notes(scenario, about)

    def _patient(self) -> str:
        person = self._person
        kind = _concept("http://terminology.hl7.org/CodeSystem/v2-0203", "MR", "Medical record number")
        return self._add(
            {
                "resourceType": "Patient",
                "identifier": [{"system": MRN_SYSTEM, "value": person.mrn, "type": kind}],
                "name": [_human(person.name) | {"use": "official"}],
                "gender": person.sex,
                "birthDate": person.birth.isoformat(),
                "telecom": [{"system": "phone", "value": person.phone}],
                "address": [{"line": [person.street], "city": person.town, "postalCode": person.postcode}],
            },
            events=1,
        )

    def _rounds(self, readings: Sequence[Reading], about: Json) -> None:
        for back in range(ROUNDS - 1, -1, -1):
            at = self._moment - timedelta(hours=4 * back)
            for offset, reading in enumerate(readings):
                self._add(
                    _observation(self._drifted(reading, back), at + timedelta(minutes=offset)) | about, 1
                )

    def _drifted(self, reading: Reading, back: int) -> Reading:
        """Earlier rounds differ a little; the last one is the scenario's own."""
        if back == 0 or isinstance(reading.value, str) or reading.code == "3151-8":
            return reading
        digits = 1 if reading.unit in ("Cel", "[degF]", "kPa") else 0
        value = round(reading.value * (1 + self._random.uniform(-0.01, 0.01) * back), digits)
        value = min(value, 100.0) if reading.unit == "%" else value
        return Reading(reading.code, reading.display, value, reading.unit, reading.points)

    def _notes(self, scenario: Scenario, about: Json) -> None:
        for title, text in (("Admission note", _admission), ("Ward round", _ward_round)):
            words = text(self._person, scenario, self._moment)
            self.texts.append(words)
            self._add(_document(title, words, self._moment) | about, events=1)
        letter = _letter(self._person, scenario, self._moment)
        self.texts.append(letter)
        self._add(_report(letter, self._moment) | about, events=1)

    def _add(self, resource: Json, events: int) -> str:
        url = f"urn:uuid:{UUID(int=self._random.getrandbits(128), version=4)}"
        request = {"method": "POST", "url": resource["resourceType"]}
        self._entries.append({"fullUrl": url, "resource": resource, "request": request})
        self.events += events
        return url


def _human(name: str) -> Json:
    *given, family = name.split()
    return {"family": family, "given": given}


def _concept(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _encounter(admitted: datetime) -> Json:
    place = {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "code": "IMP",
        "display": "Inpatient",
    }
    return {
        "resourceType": "Encounter",
        "status": "in-progress",
        "class": place,
        "period": {"start": admitted.isoformat()},
    }


def _scale_2(since: datetime) -> Json:
    return {
        "resourceType": "Flag",
        "status": "active",
        "code": _concept("urn:rootstock:clinical", "spo2-scale-2", "Target saturation 88 to 92 %"),
        "period": {"start": since.isoformat()},
    }


def _observation(reading: Reading, at: datetime) -> Json:
    vital = _concept(
        "http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs", "Vital signs"
    )
    value: Json = (
        {"valueCodeableConcept": _concept("http://loinc.org", "LA-" + reading.value[:6], reading.value)}
        if isinstance(reading.value, str)
        else {
            "valueQuantity": {
                "value": reading.value, "unit": reading.unit, "code": reading.unit,
                "system": "http://unitsofmeasure.org",
            }
        }
    )  # fmt: skip
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [vital],
        "code": _concept(reading.system, reading.code, reading.display),
        "effectiveDateTime": at.isoformat(),
        **value,
    }


def _encoded(text: str) -> Json:
    return {"contentType": "text/plain; charset=utf-8", "data": base64.b64encode(text.encode()).decode()}


def _document(title: str, text: str, at: datetime) -> Json:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": _concept("http://loinc.org", "34109-9", title),
        "date": at.isoformat(),
        "content": [{"attachment": _encoded(text)}],
    }


def _report(text: str, at: datetime) -> Json:
    return {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": _concept("http://loinc.org", "18842-5", "Discharge summary"),
        "effectiveDateTime": at.isoformat(),
        "presentedForm": [_encoded(text)],
    }


def _admission(p: Person, s: Scenario, at: datetime) -> str:
    years = (at.date() - p.birth).days // 365
    he = "She" if p.sex == "female" else "He"
    return f"""{HOSPITAL}
Patient: {p.name}    DOB: {p.birth:%d/%m/%Y}    MRN: {p.mrn}

{p.given} {p.family} is a {years}-year-old admitted on {at:%-d %B %Y} with {s.condition[1].lower()}. \
{he} lives at {p.street}, {p.town}, {p.postcode}, and used to work for {p.employer}. \
History of Parkinson's disease and Crohn's disease; Babinski sign negative. A Foley catheter was placed. \
Started on {s.medication[1]}.
Next of kin is {p.relative} {p.family}, who can be reached on {p.relative_phone}.
Creatinine 1.4 mg/dL, lactate 2.1 mmol/L, ejection fraction 55 %.

Seen by Dr. {p.doctor}."""


def _ward_round(p: Person, s: Scenario, at: datetime) -> str:
    title = "Mrs" if p.sex == "female" else "Mr"
    return f"""Ward round {at:%d/%m/%Y}, Dr {p.doctor.split()[-1]}
{title} {p.family} was comfortable overnight. Vital signs as charted, Glasgow Coma Scale 15.
Continue {s.medication[1]}. Discussed with {p.relative}, who will visit from {p.town} tomorrow.
Plan: repeat potassium and haemoglobin, hold metoprolol if systolic below 100, Wells score 2."""


def _letter(p: Person, s: Scenario, at: datetime) -> str:
    return f"""Dear Dr {p.doctor.split()[-1]},

Thank you for seeing {p.name} (MRN {p.mrn}, born {p.birth:%d/%m/%Y}) at {HOSPITAL}.
Diagnosis: {s.condition[1]}. No sign of Hodgkin lymphoma on imaging of 4 cm slices.
Results can be given to {p.relative} by telephone on {p.relative_phone}; the patient's own number is {p.phone}.

Yours sincerely,
{p.doctor}"""
