"""Notes are read by what the organisation's alias serves, from the next Bundle on: promoted, rolled back, or none."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from apps.ehr.deidentification import ALIAS
from apps.ehr.generator import case
from models_zoo.llm.card import AdapterCard, adapter_digest, adapter_reference, read_adapter_card, write_card
from models_zoo.zoo.tasks import task_of
from rootstock.accounts.tenancy import tenant
from rootstock.demo import DemoClient
from rootstock.demo.client import DemoFailure
from rootstock.registry.models import AdapterVersion, ShadowTally
from rootstock.registry.services import adapter_register

pytestmark = pytest.mark.slow
SCOPES = (
    "adapters:read", "adapters:write", "adapters:approve", "ehr:read", "ehr:write", "jobs:read", "audit:read",
)  # fmt: skip
SHIPPED = task_of("clinical-deid").adapter


@pytest.fixture
def brought(committed_world: Any, tmp_path: Path) -> Callable[..., AdapterVersion]:
    """The shipped adapter as a version of the organisation, its head's numbers times `scale`."""

    def bring(scale: float, **card: Any) -> AdapterVersion:
        folder = tmp_path / str(scale)
        shutil.copytree(SHIPPED, folder)
        head = load_file(folder / "head.safetensors")
        save_file({name: value * scale for name, value in head.items()}, folder / "head.safetensors")
        told = read_adapter_card(folder)
        values = {name: getattr(told, name) for name in AdapterCard.__dataclass_fields__}
        write_card(AdapterCard(**values | card), folder / "card.json")
        return adapter_register(organisation=committed_world.organisation, folder=folder, job_id=None)

    return bring


def serve(people: list[DemoClient], version: AdapterVersion, **change: Any) -> None:
    """Two people have the alias serve it."""
    body = {"alias": ALIAS, "version": version.reference, "reason": "our own notes", **change}
    asked = people[0].ask("POST", "/promotions", expect=201, json=body)
    path = f"/promotions/{asked['id']}/approve"
    people[1].ask("POST", path, json={"because": "known", "without_evaluation": True})


def read(client: DemoClient, number: int) -> set[tuple[str, str]]:
    """Send a patient's Bundle; the adapters and digests on record for its notes, none of which is withheld."""
    made = case(number)
    sent = client.ask("POST", "/ehr/bundles", expect=202, json=made.bundle)
    client.follow_job(sent["job_id"], lambda job: None)
    return on_record(client, number, sent["job_id"])


def on_record(client: DemoClient, number: int, job_id: str) -> set[tuple[str, str]]:
    [patient] = client.ask("GET", "/ehr/patients", params={"identifier": case(number).person.mrn})["items"]
    notes = client.ask("GET", f"/ehr/patients/{patient['id']}/notes")["items"]
    assert {note["state"] for note in notes} == {"ready"}
    found = client.ask("GET", "/audit/decisions", params={"kind": "ehr.deidentify", "limit": 50})["items"]
    mine = [one for one in found if one["job_id"] == job_id]
    assert {one["subject_id"] for one in mine} == {note["id"] for note in notes}
    return {(one["adapter"], one["adapter_digest"]) for one in mine}


@pytest.mark.timeout(400)
def test_what_an_alias_serves_reads(people: list[DemoClient], brought: Any) -> None:
    client = people[0]
    assert read(client, 0) == {(adapter_reference("clinical-deid", SHIPPED), adapter_digest(SHIPPED))}
    one, two = brought(1.01), brought(1.02)
    serve(people, one)
    assert read(client, 1) == {(one.reference, one.digest)}
    serve(people, two)
    assert read(client, 2) == {(two.reference, two.digest)}
    client.ask("POST", f"/aliases/{ALIAS}/roll-back", json={"reason": "it missed names"})
    assert read(client, 3) == {(one.reference, one.digest)}


@pytest.mark.timeout(400)
def test_a_shadow_reads_the_same_notes_unseen(
    people: list[DemoClient], brought: Any, committed_world: Any
) -> None:
    one, shadow = brought(1.05), brought(0.0)  # whose head finds nothing anywhere
    serve(people, one)
    serve(people, shadow, change="shadow", share=0.999_999_999)
    assert read(people[0], 5) == {(one.reference, one.digest)}
    for _ in range(100):
        with tenant(committed_world.organisation):
            tally = ShadowTally.objects.filter(current=one, shadow=shadow).first()
        if tally and tally.compared == 3:
            break
        time.sleep(0.2)
    assert tally is not None
    assert (tally.compared, tally.failed, tally.same, tally.agreement) == (3, 0, 0, 0.0)


@pytest.mark.timeout(400)
def test_one_without_all_labels_leaves_notes_withheld(people: list[DemoClient], brought: Any) -> None:
    client, sound = people[0], brought(1.03)
    labels = ("NAME", "DATE", "AGE", "CONTACT", "ID", "LOCATION", "EMPLOYER")
    other = brought(1.04, labels=labels)
    serve(people, sound)
    serve(people, other)
    with pytest.raises(DemoFailure, match=f"{other.reference}.* has no label ORGANISATION: roll it back"):
        read(client, 4)
    [failed] = client.ask("GET", "/jobs", params={"kind": "ehr.ingest", "state": "failed"})["items"]
    [patient] = client.ask("GET", "/ehr/patients", params={"identifier": case(4).person.mrn})["items"]
    notes = client.ask("GET", f"/ehr/patients/{patient['id']}/notes")["items"]
    assert {note["state"] for note in notes} == {"withheld"}
    client.ask("POST", f"/aliases/{ALIAS}/roll-back", json={"reason": "it lacks employers' label"})
    again = client.ask("POST", f"/jobs/{failed['id']}/run-again", expect=202)
    client.follow_job(again["id"], lambda job: None)
    assert on_record(client, 4, again["id"]) == {(sound.reference, sound.digest)}
