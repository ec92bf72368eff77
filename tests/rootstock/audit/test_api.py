"""The audit trail over REST: lists, proofs, actions, the chain, the export."""

import json
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.tenancy import tenant
from rootstock.audit import selectors
from rootstock.audit.merkle import merkle_check
from rootstock.audit.models import AuditEntry, AuditRoot, HumanAction
from rootstock.audit.offline import file_verify
from rootstock.audit.roots import roots_write
from rootstock.audit.services import audit_record
from rootstock.middleware import within_request
from tests.rootstock.audit.test_trail import fill


@pytest.fixture
def api(world):
    return world.api("audit:read")


def test_it_works(world, api) -> None:
    with acting(Actor("person", str(world.owner.pk))):
        fill(world.organisation)
    [entry, *_] = api.get("/audit/entries", action="thing.made").json()["items"]
    assert (entry["object_type"], entry["words"]) == ("thing", "Thing made")
    assert entry["actor"] == {
        "kind": "person", "id": str(world.owner.pk), "name": world.owner.username,
    }  # fmt: skip
    assert api.get(f"/audit/entries/{entry['id']}").json()["proof"] is None
    roots_write(organisation=world.organisation)
    proof = api.get(f"/audit/entries/{entry['id']}").json()["proof"]
    assert proof["holds"]
    assert merkle_check(
        bytes.fromhex(proof["digest"]),
        proof["index"],
        proof["count"],
        [bytes.fromhex(one) for one in proof["path"]],
        bytes.fromhex(proof["merkle"]),
    )
    root = api.get(f"/audit/roots/{proof['sequence']}").json()
    assert root["hash"] == proof["root_hash"]
    chain = api.get("/audit/chain").json()
    assert (chain["last"]["hash"], chain["waiting"], chain["verified"]) == (root["hash"], 0, None)


def test_filters_and_paging(world, api) -> None:
    for number in range(7):
        who = Actor("person", "1") if number % 2 else Actor("key", str(uuid4()))
        audit_record(
            organisation=world.organisation,
            action="thing.made",
            object_type="thing",
            object_id=number,
            actor=who,
        )
    found, cursor = [], ""
    while cursor is not None:
        page = api.get(
            "/audit/entries", object_type="thing", limit=3, **({"cursor": cursor} if cursor else {})
        )
        found, cursor = found + page.json()["items"], page.json()["next"]
    assert [one["object_id"] for one in found] == ["6", "5", "4", "3", "2", "1", "0"]
    assert len(api.get("/audit/entries", actor="1", actor_kind="person").json()["items"]) == 3
    assert len(api.get("/audit/entries", object_type="thing", object_id="4").json()["items"]) == 1
    middle = found[3]["at"]
    later = [one for one in found if one["at"] >= middle]  # two may have the same millisecond
    assert api.get("/audit/entries", object_type="thing", since=middle).json()["items"] == later
    earlier = [one for one in found if one["at"] < middle]
    assert api.get("/audit/entries", object_type="thing", until=middle).json()["items"] == earlier
    assert api.get("/audit/entries", limit=0).status_code == 422
    assert api.get("/audit/entries", cursor="x").status_code == 422
    assert api.get("/audit/entries", since="yesterday").status_code == 422


def test_a_decision_is_confirmed_by_a_person(world, api) -> None:
    record = fill(world.organisation)
    path = f"/audit/decisions/{record.pk}"
    bank = world.api("fraud:write")
    done = bank.post(f"{path}/actions", {"action": "overridden", "reason": "the customer called"})
    assert done.status_code == 201
    assert done.json()["actor"]["kind"] == "key"
    assert done.json()["reason"] == "the customer called"
    shown = api.get(path).json()
    assert [one["action"] for one in shown["actions"]] == ["overridden", "overridden"]
    assert shown["vertical"] == "fraud"
    read = api.get("/audit/entries", action=f"{record.subject_type}.read").json()["items"]
    assert [one["data"]["what"] for one in read] == ["reasons"], "people's words are read on record"
    [first] = api.get("/audit/decisions", subject_id=record.subject_id, vertical="fraud").json()["items"]
    assert first["id"] == str(record.pk)
    assert api.get("/audit/decisions", vertical="ehr").json()["items"] == []


def test_who_may_act(world, api) -> None:
    record = fill(world.organisation)
    path, body = f"/audit/decisions/{record.pk}/actions", {"action": "confirmed"}
    assert api.post(path, body).status_code == 403
    assert world.api("support:write").post(path, body).status_code == 403
    assert world.api("fraud:write", organisation=world.other).post(path, body).status_code == 404
    refused = world.api("fraud:write").post(path, {"action": "released"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "reason"
    assert world.api("fraud:write").post(path, {"action": "waved"}).status_code == 422
    assert world.api("fraud:write").post(path, body).status_code == 201


@pytest.mark.parametrize("path", ["entries", "decisions", "roots", "chain", "export"])
def test_scopes_and_tenants(world, path: str) -> None:
    fill(world.organisation)
    roots_write(organisation=world.organisation)
    assert world.api("fraud:read", "fraud:write").get(f"/audit/{path}").status_code == 403
    other = world.api("audit:read", organisation=world.other).get(f"/audit/{path}")
    assert other.status_code == 200
    told = b"".join(other.streaming_content) if other.streaming else other.content
    assert b"thing.made" not in told
    assert b"fraud.score" not in told


def test_another_organisations_rows_are_not_there(world) -> None:
    record = fill(world.organisation)
    with tenant(world.organisation):
        entry = AuditEntry.objects.latest("id")
    stranger = world.api("audit:read", organisation=world.other)
    assert stranger.get(f"/audit/entries/{entry.pk}").status_code == 404
    assert stranger.get(f"/audit/decisions/{record.pk}").status_code == 404
    assert stranger.get("/audit/roots/99").status_code == 404


def test_verifying_is_itself_on_record(world, api) -> None:
    fill(world.organisation)
    assert len(api.post("/audit/roots").json()) == 1
    verdict = api.post("/audit/verify").json()
    assert verdict["ok"]
    assert verdict["leaves"] >= 6
    chain = api.get("/audit/chain").json()
    assert chain["verified"]["ok"]
    assert (
        api.get("/audit/entries", action="audit.verified").json()["items"][0]["words"]
        == "Audit trail verified"
    )


def test_a_long_chain_is_verified_by_a_job(committed_world, monkeypatch) -> None:
    from rootstock.audit import verifying
    from tests.fixtures.jobs import run_job

    monkeypatch.setattr(verifying, "AT_ONCE", 3)
    organisation = committed_world.organisation
    fill(organisation)
    roots_write(organisation=organisation)
    answer = committed_world.api("audit:read").post("/audit/verify")
    assert answer.status_code == 202
    job = answer.json()["job"]
    assert job["kind"] == "audit.verify"
    seen: list[bool] = []

    def verify(handle):
        report = handle.progress
        handle.progress = lambda *told: (report(*told), seen.append(connection.in_atomic_block))
        return verifying.verify(handle)

    run_job(str(organisation.pk), job["id"], verify)
    assert seen, "it says how far it is"
    assert not any(seen), "where everybody sees it, and without holding the job's row to the end"
    done = committed_world.api("jobs:read", "audit:read").get(f"/jobs/{job['id']}").json()
    assert (done["state"], done["result"]["ok"]) == ("succeeded", True)


def test_the_export_is_whole_and_verifies(world, api, tmp_path: Path) -> None:
    fill(world.organisation)
    roots_write(organisation=world.organisation)
    answer = api.get("/audit/export")
    assert answer["Content-Type"] == "application/x-ndjson"
    path = tmp_path / "export.jsonl"
    path.write_bytes(b"".join(answer.streaming_content))
    verdict = file_verify(path)
    assert verdict.ok, verdict.broken
    assert verdict.waiting == 1  # that it was exported
    lines = [json.loads(line) for line in path.read_text().split("\n") if line]
    leaf = next(one for one in lines if one["type"] == "leaf")
    plain = json.dumps(leaf["content"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert sha256(plain.encode()).hexdigest() == leaf["digest"]  # as anybody can
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
    later = b"".join(api.get("/audit/export", since=tomorrow).streaming_content)
    assert json.loads(later.splitlines()[-1])["roots"] == []


def test_the_words_of_a_reason_stay_out_of_the_chain(world, api) -> None:
    record = fill(world.organisation)
    roots_write(organisation=world.organisation)
    told = b"".join(api.get("/audit/export").streaming_content)
    assert b"known customer" not in told
    with tenant(world.organisation):
        assert bytes(HumanAction.objects.get(decision=record).reason_hash).hex().encode() in told


def test_the_length_of_the_chain_is_told_by_its_last_root(world, api) -> None:
    """Also where the first roots were written before they told it, and then without counting them again."""
    fill(world.organisation)
    [first] = roots_write(organisation=world.organisation)
    with tenant(world.organisation):
        old = AuditRoot.objects.create(
            organisation=world.organisation, sequence=2, count=40, leaves=b"", merkle=bytes(32),
            previous=bytes(first.hash), hash=bytes(32),
        )  # fmt: skip
    assert old.total is None
    assert api.get("/audit/chain").json()["leaves"] == first.count + 40
    fill(world.organisation)
    [last] = roots_write(organisation=world.organisation)
    with CaptureQueriesContext(connection) as asked:
        assert api.get("/audit/chain").json()["leaves"] == first.count + 40 + last.count
    assert not any("SUM(" in one["sql"] for one in asked)


def test_entries_of_a_request_are_found_in_an_index(committed_world, analyse) -> None:
    with tenant(committed_world.organisation) as owner:
        for number in range(400):
            with within_request(f"request-{number}"):
                audit_record(organisation=owner, action="thing.made", object_type="thing")
    analyse("audit_auditentry")
    with tenant(committed_world.organisation):
        wanted = selectors.entries(selectors.EntryFilter(request_id="request-7")).order_by("-id")
        assert "audit_by_request" in wanted.explain()
