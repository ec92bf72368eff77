"""Bundles over REST, stored, scored; nothing half-written, nothing twice, nothing across organisations."""

import json
from typing import Any

import pytest

from apps.ehr.generator import Case, case


@pytest.fixture
def reader(committed_world: Any) -> Any:
    return committed_world.api("ehr:read", "ehr:write")


def patient_of(reader: Any, made: Case) -> dict[str, Any]:
    [found] = reader.get("/ehr/patients", identifier=made.person.mrn).json()["items"]
    return found


def row_counts(organisation: Any) -> dict[str, int]:
    from apps.ehr import models
    from rootstock.accounts.tenancy import tenant

    kinds = ("ImportedBundle", "Patient", "PatientIdentifier", "Resource", "Event", "Note", "RiskScore")
    with tenant(organisation):
        return {kind: getattr(models, kind).objects.count() for kind in kinds}


def test_it_works(ingest: Any, reader: Any, made: Case) -> None:
    row = ingest(made.bundle)
    assert row["state"] == "stored"
    assert row["report"]["resources"] == len(made.bundle["entry"])
    assert row["report"]["events"] == made.events
    patient = patient_of(reader, made)
    assert patient["name"] == f"{made.person.family}, {made.person.given}"
    risk = patient["risk"]
    assert (risk["total"], risk["band"], risk["complete"]) == (19, "high", True)
    assert risk["inputs"]["temperature"]["value"] == 39.2
    scores = reader.get(f"/ehr/patients/{patient['id']}/risk").json()
    assert len(scores) == 6
    assert [s["at"] for s in scores] == sorted(s["at"] for s in scores)


def test_same_bundle_again_changes_nothing(
    ingest: Any, reader: Any, committed_world: Any, made: Case
) -> None:
    first = ingest(made.bundle)
    before = row_counts(committed_world.organisation)
    reordered = json.dumps(dict(reversed(made.bundle.items())), indent=2).encode()
    answer = reader.post("/ehr/bundles", reordered)
    assert answer.status_code == 200
    assert answer.json()["replayed"] is True
    assert answer.json()["id"] == first["id"]
    assert row_counts(committed_world.organisation) == before


def test_running_the_job_twice_changes_nothing(ingest: Any, committed_world: Any, made: Case) -> None:
    from apps.ehr.models import ImportedBundle
    from rootstock.accounts.tenancy import tenant
    from rootstock.privacy.subjects import subject_ensure
    from tests.fixtures.jobs import run_job as run

    row = ingest(made.bundle)
    before = row_counts(committed_world.organisation)
    # As if the worker had died before it could say that everything was stored.
    with tenant(committed_world.organisation):
        again = ImportedBundle.objects.get(pk=row["id"])
        again.subject = subject_ensure(committed_world.organisation, "ehr.bundle", "again")
        again.state, again.content = "received", made.bundle
        again.save()
    run(str(committed_world.organisation.pk), row["job_id"])
    assert row_counts(committed_world.organisation) == before


def test_one_identifier_names_one_bundle(reader: Any, made: Case) -> None:
    named = made.bundle | {"identifier": {"system": "urn:x", "value": "42"}}
    assert reader.post("/ehr/bundles", named).status_code == 202
    assert reader.post("/ehr/bundles", named).status_code == 200
    other = named | {"timestamp": "2020-01-01T00:00:00Z"}
    answer = reader.post("/ehr/bundles", other)
    assert answer.status_code == 409
    assert "urn:x|42" in answer.json()["detail"]


def test_a_bad_bundle_leaves_nothing(reader: Any, committed_world: Any, made: Case) -> None:
    bad = json.loads(json.dumps(made.bundle))
    place = next(i for i, e in enumerate(bad["entry"]) if "valueQuantity" in e["resource"])
    bad["entry"][place]["resource"]["valueQuantity"]["unit"] = 7
    answer = reader.post("/ehr/bundles", bad)
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == f"entry[{place}].resource.valueQuantity.unit"
    assert set(row_counts(committed_world.organisation).values()) == {0}


def test_a_second_bundle_adds_to_the_patient(
    ingest: Any, reader: Any, committed_world: Any, made: Case
) -> None:
    ingest(made.bundle)
    person = made.bundle["entry"][0]
    pulse = next(e for e in made.bundle["entry"] if e["resource"].get("code", {}).get("text") == "Heart rate")
    late = json.loads(json.dumps({**made.bundle, "entry": [person, pulse]}))
    late["entry"][1]["fullUrl"] = "urn:uuid:8a4ec5b4-0000-4000-8000-000000000001"
    late["entry"][1]["resource"] |= {"effectiveDateTime": "2020-01-01T10:00:00Z"}
    ingest(late)
    assert row_counts(committed_world.organisation)["Patient"] == 1
    patient = patient_of(reader, made)
    assert patient["risk"]["total"] == 19
    assert len(reader.get(f"/ehr/patients/{patient['id']}/risk").json()) == 7


def test_a_corrected_resource_replaces_its_events(ingest: Any, reader: Any, made: Case) -> None:
    ingest(made.bundle)
    corrected = json.loads(json.dumps(made.bundle))
    for entry in corrected["entry"]:
        if entry["resource"].get("code", {}).get("text") == "Body temperature":
            entry["resource"]["status"] = "entered-in-error"
    ingest(corrected)
    risk = patient_of(reader, made)["risk"]
    assert risk["missing"] == ["temperature"]
    assert risk["total"] == 17


def test_two_people_under_one_number(ingest: Any, committed_world: Any, reader: Any) -> None:
    first, second = case(0), case(1)
    ingest(first.bundle)
    ingest(second.bundle)
    mixed = json.loads(json.dumps(first.bundle))
    mixed["entry"][0]["resource"]["identifier"] += second.bundle["entry"][0]["resource"]["identifier"]
    answer = reader.post("/ehr/bundles", mixed).json()
    from tests.fixtures.jobs import run_job as run

    run(str(committed_world.organisation.pk), answer["job_id"])
    job = committed_world.api("jobs:read", "ehr:read").get(f"/jobs/{answer['job_id']}").json()
    assert job["state"] == "failed"
    assert "2 different patients" in job["error"]["detail"]


def test_notes_stay_withheld_without_the_model(
    ingest: Any, reader: Any, committed_world: Any, made: Case
) -> None:
    row = ingest(made.bundle)
    assert row["state"] == "stored"
    patient = patient_of(reader, made)
    notes = reader.get(f"/ehr/patients/{patient['id']}/notes").json()["items"]
    assert len(notes) == 3
    assert all(n["state"] == "withheld" and n["text"] is None and n["original"] is None for n in notes)
    whole = json.dumps(notes)
    assert not [word for word in made.planted if word in whole]
    job = committed_world.api("jobs:read", "ehr:read").get(f"/jobs/{row['job_id']}").json()
    # To be tried again: the model may come back.
    assert (job["state"], job["error"]["code"]) == ("queued", "unavailable")


def test_originals_need_their_own_scope(ingest: Any, reader: Any, committed_world: Any, made: Case) -> None:
    ingest(made.bundle)
    patient = patient_of(reader, made)
    url = f"/ehr/patients/{patient['id']}/notes?original=true"
    assert reader.get(url).status_code == 403
    trusted = committed_world.api("ehr:read", "ehr:identified")
    originals = [note["original"] for note in trusted.get(url).json()["items"]]
    assert any(made.person.name in text for text in originals)


def test_another_organisation_sees_nothing(
    ingest: Any, reader: Any, committed_world: Any, made: Case
) -> None:
    row = ingest(made.bundle)
    patient = patient_of(reader, made)
    stranger = committed_world.api(
        "ehr:read", "ehr:write", "ehr:identified", organisation=committed_world.other
    )
    assert stranger.get("/ehr/patients").json()["items"] == []
    for path in ("", "/timeline", "/notes", "/risk"):
        assert stranger.get(f"/ehr/patients/{patient['id']}{path}").status_code == 404
    assert stranger.get(f"/ehr/bundles/{row['id']}").status_code == 404
    # The same Bundle is theirs to send, and stays theirs.
    ingest(made.bundle, organisation=committed_world.other)
    assert stranger.get("/ehr/patients").json()["items"][0]["id"] != patient["id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/ehr/bundles"),
        ("get", "/ehr/patients"),
        ("get", "/ehr/patients/0197f3c2-0000-7000-8000-000000000000"),
    ],
)
def test_scopes(world: Any, method: str, path: str) -> None:
    assert getattr(world.api("fraud:read"), method)(path).status_code == 403


def test_paging_and_filters_of_the_timeline(ingest: Any, reader: Any, made: Case) -> None:
    ingest(made.bundle)
    url = f"/ehr/patients/{patient_of(reader, made)['id']}/timeline"
    whole = reader.get(url, limit=200).json()["items"]
    paged, cursor = [], ""
    while cursor is not None:
        page = reader.get(url, limit=7, **({"cursor": cursor} if cursor else {})).json()
        paged, cursor = paged + page["items"], page["next"]
    assert paged == whole
    assert len(whole) == made.events
    times = [event["time"] for event in whole]
    assert times == sorted(times, reverse=True)
    vitals = reader.get(url, kind="vital", limit=200).json()["items"]
    assert {event["kind"] for event in vitals} == {"vital"}
    assert len(reader.get(url, code="LOINC//8867-4").json()["items"]) == 6
    latest = reader.get(url, since=whole[0]["time"]).json()["items"]
    assert len(latest) <= 4
    assert reader.get(url, kind="nonsense").status_code == 422
    assert reader.get(url, cursor="x~y").status_code == 422
    assert reader.get(url, cursor="2024~0197f3c2-0000-7000-8000-00000000000").status_code == 422
    assert reader.get(url, limit=0).status_code == 422


def test_patients_come_by_risk(ingest: Any, reader: Any) -> None:
    cases = [case(index) for index in range(6)]
    for one in cases:
        ingest(one.bundle)
    found, cursor = [], ""
    while cursor is not None:
        page = reader.get("/ehr/patients", limit=2, **({"cursor": cursor} if cursor else {})).json()
        found, cursor = found + page["items"], page["next"]
    order = ["low", "low_medium", "medium", "high"]
    ranks = [(order.index(p["risk"]["band"]), p["risk"]["total"]) for p in found]
    assert ranks == sorted(ranks, reverse=True)
    assert len({p["id"] for p in found}) == 6
    assert {p["risk"]["band"] for p in reader.get("/ehr/patients", band="high").json()["items"]} == {"high"}
    by_system = reader.get(
        "/ehr/patients", identifier=f"urn:oid:2.16.840.1.113883.19.5|{cases[3].person.mrn}"
    )
    assert len(by_system.json()["items"]) == 1
    assert reader.get("/ehr/patients", identifier=f"urn:other|{cases[3].person.mrn}").json()["items"] == []
