"""The hospital's part of the demo: its record system sends Bundles and reads back what became of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from apps.ehr.generator import Case, case
from rootstock.demo import DemoClient, DemoFailure, Row, Show, Timings

PATIENTS = 12
_JOB_LIMIT_S = 300


@dataclass(slots=True)
class Checked:
    """What was compared, over all patients."""

    events: int = 0
    scores: int = 0
    notes: int = 0
    planted: int = 0
    survived: list[str] = field(default_factory=list)


def play(api: DemoClient, show: Show) -> list[Row]:
    """Send, wait, and check timeline, NEWS2 and notes of every patient."""
    cases = [case(index) for index in range(PATIENTS)]
    sending, jobs = Timings(), Timings()
    sent = [_send(api, one, sending) for one in cases]
    show.step(
        f"sent {len(sent)} FHIR R4 Bundles, {sum(len(one.bundle['entry']) for one in cases):,} resources"
    )
    with jobs.measure():
        for number, accepted in enumerate(sent, 1):
            api.follow_job(accepted["job_id"], lambda job: None, _JOB_LIMIT_S)
            show.progress(number, len(sent), "records read")
    again = api.ask("POST", "/ehr/bundles", json=cases[0].bundle)
    if again["id"] != sent[0]["id"] or not again["replayed"]:
        raise DemoFailure("the same Bundle sent twice was not recognised")
    reading, checked = Timings(), Checked()
    for one in cases:
        _check(api, one, reading, checked)
    show.step(f"checked {checked.events:,} events and {checked.notes} notes")
    return _rows(cases, sending, jobs, reading, checked)


def _send(api: DemoClient, one: Case, sending: Timings) -> dict[str, Any]:
    with sending.measure():
        answer: dict[str, Any] = api.ask("POST", "/ehr/bundles", expect=202, json=one.bundle)
    return answer


def _check(api: DemoClient, one: Case, reading: Timings, checked: Checked) -> None:
    patient = _patient(api, one)
    with reading.measure():
        events = list(_pages(api, f"/ehr/patients/{patient['id']}/timeline"))
    if len(events) < one.events:
        raise DemoFailure(f"{one.person.name}: {len(events)} events on the timeline, expected {one.events}")
    checked.events += len(events)
    _check_score(one, patient["risk"])
    checked.scores += 1
    notes = list(_pages(api, f"/ehr/patients/{patient['id']}/notes"))
    _check_notes(one, notes, checked)


def _patient(api: DemoClient, one: Case) -> dict[str, Any]:
    found = api.ask("GET", "/ehr/patients", params={"identifier": one.person.mrn})["items"]
    if len(found) != 1 or one.person.family not in found[0]["name"]:
        raise DemoFailure(f"record number {one.person.mrn}: found {len(found)} patients, expected one")
    patient: dict[str, Any] = found[0]
    return patient


def _check_score(one: Case, risk: dict[str, Any]) -> None:
    expected = (one.scenario.total, one.scenario.band, sorted(one.scenario.missing))
    found = (risk["total"], risk["band"], sorted(risk["missing"]))
    if found != expected:
        raise DemoFailure(
            f"NEWS2 of {one.person.name} ({one.scenario.name}): {found}, the chart says {expected}"
        )


def _check_notes(one: Case, notes: list[dict[str, Any]], checked: Checked) -> None:
    if len(notes) < 3 or any(note["state"] != "ready" for note in notes):
        raise DemoFailure(f"{one.person.name}: {len(notes)} notes, not all of them de-identified")
    if any(note["original"] is not None for note in notes):
        raise DemoFailure("a note's original was shown to a key without the scope ehr:identified")
    checked.notes += len(notes)
    checked.planted += len(one.planted)
    checked.survived += [word for word in one.planted if any(word in note["text"] for note in notes)]
    missing = [
        word for word in ("Parkinson", "Foley", "Glasgow") if not any(word in n["text"] for n in notes)
    ]
    if missing:
        raise DemoFailure(f"{one.person.name}: clinical words were removed: {', '.join(missing)}")


def _pages(api: DemoClient, path: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = ""
    while cursor is not None:
        page = api.ask("GET", path, params={"cursor": cursor} if cursor else {})
        yield from page["items"]
        cursor = page["next"]


def _rows(
    cases: list[Case], sending: Timings, jobs: Timings, reading: Timings, checked: Checked
) -> list[Row]:
    if checked.survived:
        raise DemoFailure(
            f"{len(checked.survived)} planted identifiers survived in notes: {checked.survived[:5]}"
        )
    resources = sum(len(one.bundle["entry"]) for one in cases)
    return [
        sending.row("records: Bundles validated and accepted", f"{resources:,} resources"),
        Row("records: read and scored", len(cases), jobs.values[0] / len(cases), None, "NEWS2 as on the chart"),
        reading.row("records: timelines read back", f"{checked.events:,} events"),
        Row(
            "records: notes de-identified", checked.notes, None, None,
            f"0 of {checked.planted} planted identifiers left",
        ),
    ]  # fmt: skip
