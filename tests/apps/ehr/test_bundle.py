"""Reading FHIR Bundles: no database here."""

import base64
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ehr.fhir.bundle import MAX_BYTES, MAX_ENTRIES, parse_bundle
from apps.ehr.fhir.notes import free_texts, identifiers, text_problems
from apps.ehr.fhir.timeline import happenings
from apps.ehr.generator import case
from rootstock.errors import BadBody, InvalidInput

SYNTHEA = Path(os.environ["ROOTSTOCK_DATA"]) / "ehr_synthea_r4" / "bundles.zip"


def bundle() -> dict[str, Any]:
    return json.loads(json.dumps(case(0).bundle))


def parse(value: Any):
    return parse_bundle(json.dumps(value).encode())


def fields(caught) -> list[str]:
    return [problem.field for problem in caught.value.errors]


def index_of(value: dict[str, Any], kind: str) -> int:
    return next(i for i, e in enumerate(value["entry"]) if e["resource"]["resourceType"] == kind)


def test_it_works() -> None:
    made = case(0)
    parsed = parse(made.bundle)
    assert len(parsed.entries) == len(made.bundle["entry"])
    assert {e.subject for e in parsed.of_type("Observation")} == {e.key for e in parsed.of_type("Patient")}
    events = [h for e in parsed.entries for h in happenings(e.resource, lambda reference: None)]
    assert len(events) == made.events
    assert parsed.skipped == {}


@pytest.mark.slow
@pytest.mark.skipif(not SYNTHEA.exists(), reason=f"public data set not here: {SYNTHEA}")
def test_synthea_bundles_parse_whole() -> None:
    with zipfile.ZipFile(SYNTHEA) as archive:
        for name in archive.namelist()[:12]:
            raw = archive.read(name)
            parsed = parse_bundle(raw)
            total = len(json.loads(raw)["entry"])
            assert len(parsed.entries) + sum(parsed.skipped.values()) == total
            observed = [
                h for e in parsed.of_type("Observation") for h in happenings(e.resource, lambda r: None)
            ]
            assert observed
            assert all(h.time for h in observed)


def test_digest_ignores_white_space_and_order() -> None:
    value = bundle()
    shuffled = dict(reversed(value.items()))
    assert parse(value).digest == parse_bundle(json.dumps(shuffled, indent=3).encode()).digest
    shuffled["timestamp"] = "2020-01-01T00:00:00Z"
    assert parse(value).digest != parse(shuffled).digest


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"\xff\xfe", "body"),
        (b"[" * 100_000, "body"),
        (b'{"resourceType": "Bundle", "x": NaN}', "body"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": {"id": "\\u0000"}}]}', "entry[0].resource.id"),
        (b"[]", "resourceType"),
        (b'{"resourceType": "Patient"}', "resourceType"),
        (b'{"resourceType": "Bundle", "type": "message"}', "type"),
        (b'{"resourceType": "Bundle", "type": "batch"}', "entry"),
        (b'{"resourceType": "Bundle", "type": "batch", "entry": []}', "entry"),
        (b'{"resourceType": "Bundle", "type": "batch", "entry": {}}', "entry"),
        (b'{"resourceType": "Bundle", "type": "batch", "entry": [5]}', "entry[0]"),
        (b'{"resourceType": "Bundle", "type": "batch", "entry": [{}]}', "entry[0].resource"),
        (b" " * (MAX_BYTES + 1), "Bundle"),
    ],
)
def test_what_is_no_bundle(body: bytes, field: str) -> None:
    with pytest.raises((InvalidInput, BadBody)) as caught:
        parse_bundle(body)
    assert fields(caught) == [field]


def test_problems_are_named_by_path() -> None:
    value = bundle()
    first = index_of(value, "Observation")
    value["entry"][first]["resource"]["valueQuantity"]["unit"] = 5
    value["entry"][first]["resource"]["status"] = "done"
    value["entry"][first + 1]["resource"]["effectiveDateTime"] = "2020-13-45"
    del value["entry"][first + 2]["resource"]["code"]
    value["entry"][first + 3]["request"]["method"] = "DELETE"
    with pytest.raises(InvalidInput) as caught:
        parse(value)
    assert set(fields(caught)) == {
        f"entry[{first}].resource.status",
        f"entry[{first}].resource.valueQuantity.unit",
        f"entry[{first + 1}].resource.effectiveDateTime",
        f"entry[{first + 2}].resource.code",
        f"entry[{first + 3}].request.method",
    }


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        ("Patient", "gender"),
        ("Encounter", "status"),
        ("Observation", "status"),
        ("DocumentReference", "status"),
    ],
)
@pytest.mark.parametrize("code", ["done", "Male", ""])
def test_required_codes_are_of_their_list(kind: str, member: str, code: str) -> None:
    value = bundle()
    place = index_of(value, kind)
    value["entry"][place]["resource"][member] = code
    with pytest.raises(InvalidInput) as caught:
        parse(value)
    assert f"entry[{place}].resource.{member}" in fields(caught)


def test_references_must_lead_somewhere() -> None:
    value = bundle()
    place = index_of(value, "Observation")
    value["entry"][place]["resource"]["subject"]["reference"] = (
        "urn:uuid:00000000-0000-0000-0000-000000000000"
    )
    with pytest.raises(InvalidInput) as caught:
        parse(value)
    assert f"entry[{place}].resource.subject.reference" in fields(caught)


def test_a_subject_must_be_a_patient_of_the_bundle() -> None:
    value = bundle()
    place = index_of(value, "Condition")
    value["entry"][place]["resource"]["subject"]["reference"] = "Patient/elsewhere"
    with pytest.raises(InvalidInput) as caught:
        parse(value)
    assert fields(caught) == [f"entry[{place}].resource.subject.reference"]


def test_no_patient_at_all() -> None:
    organisation = {"resource": {"resourceType": "Organization", "name": "A"}}
    with pytest.raises(InvalidInput) as caught:
        parse({"resourceType": "Bundle", "type": "batch", "entry": [organisation]})
    assert fields(caught) == ["entry"]


def test_two_entries_of_one_name() -> None:
    value = bundle()
    value["entry"][1]["fullUrl"] = value["entry"][0]["fullUrl"]
    with pytest.raises(InvalidInput) as caught:
        parse(value)
    assert fields(caught) == ["entry[1].fullUrl"]


def test_too_many_entries() -> None:
    value = {"resourceType": "Bundle", "type": "batch", "entry": [{}] * (MAX_ENTRIES + 1)}
    with pytest.raises(InvalidInput) as caught:
        parse(value)
    assert fields(caught) == ["entry"]


def test_unknown_types_are_counted() -> None:
    value = bundle()
    value["entry"] += [{"resource": {"resourceType": kind}} for kind in ("Claim", "Claim", "Nonsense")]
    assert parse(value).skipped == {"Claim": 2, "Nonsense": 1}


@pytest.mark.parametrize("data", ["%%%", base64.b64encode(b"\xff\xfe\xfa").decode()])
def test_a_note_must_be_text(data: str) -> None:
    value = bundle()
    place = index_of(value, "DocumentReference")
    value["entry"][place]["resource"]["content"][0]["attachment"]["data"] = data
    problems = [p for e in parse(value).entries for p in text_problems(e)]
    assert [p.field for p in problems] == [f"entry[{place}].resource.content[0].attachment.data"]


def test_withdrawn_resources_say_nothing() -> None:
    value = bundle()
    resource = value["entry"][index_of(value, "DocumentReference")]["resource"]
    assert free_texts(resource)
    resource["status"] = "entered-in-error"
    assert free_texts(resource) == []
    assert happenings(resource, lambda reference: None) == []


def test_free_text_answers_become_notes_and_not_events() -> None:
    observation = {
        "resourceType": "Observation", "status": "final", "code": {"text": "Comment"},
        "valueString": "Called Mr Smith", "note": [{"text": "and his wife"}],
    }  # fmt: skip
    assert [text.text for text in free_texts(observation)] == ["Called Mr Smith", "and his wife"]
    assert [event.text for event in happenings(observation, lambda reference: None)] == [""]


def test_components_are_events_of_their_own() -> None:
    def part(code: str, value: float) -> dict[str, Any]:
        quantity = {"value": value, "unit": "mmHg", "code": "mm[Hg]", "system": "http://unitsofmeasure.org"}
        return {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": quantity}

    pressure = {
        "resourceType": "Observation", "status": "final", "code": {"text": "Blood pressure"},
        "effectiveDateTime": "2024-02-03", "component": [part("8480-6", 120), part("8462-4", 80)],
    }  # fmt: skip
    found = happenings(pressure, lambda reference: None)
    assert [(e.code.code, e.number, e.unit) for e in found] == [
        ("LOINC//8480-6", 120, "mm[Hg]"), ("LOINC//8462-4", 80, "mm[Hg]")
    ]  # fmt: skip


def test_measurements_go_by_loinc_whatever_comes_first() -> None:
    both = [{"system": "urn:house", "code": "P"}, {"system": "http://loinc.org", "code": "8867-4"}]
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": both},
        "valueInteger": 70,
    }
    assert [event.code.code for event in happenings(observation, lambda reference: None)] == ["LOINC//8867-4"]


def test_the_record_gives_its_identifiers_away() -> None:
    made = case(0)
    resources = {e["resource"]["resourceType"]: e["resource"] for e in made.bundle["entry"]}
    others = [resources["Practitioner"], resources["Organization"]]
    values = {i.value for i in identifiers(resources["Patient"], others)}
    person = made.person
    assert {person.name, person.mrn, person.phone, person.street, person.town, person.doctor} <= values
    assert person.birth.isoformat() in values


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
PATHS = [("entry",), ("entry", 0), ("entry", 0, "resource"), ("entry", 0, "resource", "name"), ("entry", 5, "resource"),
         ("entry", 5, "fullUrl"), ("entry", 5, "request"), ("identifier",), ("entry", 0, "resource", "identifier"),
         ("entry", 30, "resource", "valueQuantity"), ("entry", -1, "resource", "presentedForm")]  # fmt: skip


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.sampled_from(PATHS), json_values)
def test_any_damage_is_refused_or_read_but_never_a_fault(path: tuple[Any, ...], value: Any) -> None:
    damaged = bundle()
    place: Any = damaged
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    try:
        parsed = parse(damaged)
    except (InvalidInput, BadBody):
        return
    for entry in parsed.entries:
        list(text_problems(entry))
        happenings(entry.resource, lambda reference: None)
        if not list(text_problems(entry)):
            free_texts(entry.resource)
    assert [identifiers(entry.resource, []) for entry in parsed.of_type("Patient")]
