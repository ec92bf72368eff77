"""Scores and de-identified notes are on record; who read a patient's record, too."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings

from apps.ehr.generator import Case
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry, DecisionRecord
from workers.handlers import LaneRequest
from workers.lanes import Consumer


class Remover:
    """Answers as the language worker does: here it takes every text for one name."""

    def load(self, runtime: Any) -> None: ...

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any]]:
        redaction = {"start": 0, "end": 6, "label": "NAME", "sources": ["adapter"]}
        answer = {"text": "[NAME]", "redactions": [redaction], "model": "clinical-deid@0123", "names": []}
        return [answer | {"adapter_digest": "0123" * 16, "base": "b" * 64} for _ in batch]


@pytest.fixture
def remover(services: None, monkeypatch: Any) -> Iterator[None]:
    monkeypatch.setattr("workers.lanes._POLL_S", 0.05)
    lane = replace(settings.LANES["ehr.deidentify"], group="score")
    monkeypatch.setitem(settings.LANES, "ehr.deidentify", lane)
    consumer = Consumer("ehr.deidentify", lane, Remover(), "any")
    consumer.start()
    yield
    consumer.stop()


def test_it_works(remover: None, ingest: Any, committed_world: Any, made: Case) -> None:
    row = ingest(made.bundle)
    assert row["state"] == "complete"
    with tenant(committed_world.organisation):
        notes = list(DecisionRecord.objects.filter(kind="ehr.deidentify"))
        scores = list(DecisionRecord.objects.filter(kind="ehr.news2").order_by("id"))
    assert len(notes) == 3
    assert notes[0].output["removed"] == {"NAME": 1}
    assert (notes[0].adapter, notes[0].base) == ("clinical-deid@0123", "b" * 64)
    assert notes[0].adapter_digest == "0123" * 16
    assert str(notes[0].job_id) == str(scores[0].job_id) == row["job_id"]
    assert len(scores) == row["report"]["scores"] > 0
    assert scores[-1].output["band"] in ("low", "low_medium", "medium", "high")
    assert len(scores[-1].model_digest) == 64


def test_scoring_again_without_a_change_records_nothing(
    ingest: Any, committed_world: Any, made: Case
) -> None:
    from apps.ehr.models import Event, Patient
    from apps.ehr.scoring import news2_refresh

    ingest(made.bundle)
    with tenant(committed_world.organisation):
        patient, before = Patient.objects.get(), DecisionRecord.objects.count()
        assert news2_refresh(patient) > 0
        assert DecisionRecord.objects.count() == before
        pulse = Event.objects.filter(code="LOINC//8867-4").order_by("-time").first()
        assert pulse is not None
        Event.objects.filter(pk=pulse.pk).update(number=41)
        news2_refresh(patient)
        assert DecisionRecord.objects.count() == before + 1


def test_reads_of_a_record_are_recorded(ingest: Any, committed_world: Any, made: Case) -> None:
    ingest(made.bundle)
    browser = committed_world.browser(committed_world.owner)
    browser.get("/ehr/")
    api = committed_world.api("ehr:read", "ehr:identified")
    [patient] = api.get("/ehr/patients").json()["items"]
    for _ in range(2):
        browser.get(f"/ehr/patients/{patient['id']}/")
        browser.get(f"/ehr/patients/{patient['id']}/notes")
    api.get(f"/ehr/patients/{patient['id']}/notes", original="true")
    with tenant(committed_world.organisation):
        reads = AuditEntry.objects.filter(action="patient.read", object_id=patient["id"]).order_by("id")
        assert [(one.actor_kind, one.data["what"]) for one in reads] == [
            ("person", "record"),
            ("person", "notes"),
            ("key", "identified notes"),
        ]
        assert AuditEntry.objects.filter(action="patient.listed").count() == 2
        assert all(made.person.family not in str(one.data) for one in AuditEntry.objects.all())
