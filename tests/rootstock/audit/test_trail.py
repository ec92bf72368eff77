"""Entries, records and human actions: written once, sealed by roots, and nothing slips past a root."""

import threading
from uuid import uuid4

import pytest
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.tenancy import tenant
from rootstock.audit.canonical import leaf_digest
from rootstock.audit.decisions import DecisionFacts, decisions_record
from rootstock.audit.models import AuditEntry, AuditRoot, DecisionRecord, HumanAction, PendingLeaf
from rootstock.audit.roots import organisations_waiting, roots_write, unpack
from rootstock.audit.services import action_record, audit_record, list_read_record, read_record
from rootstock.errors import InvalidInput, NotFound

ODD = {
    "n": 1e16,
    "small": 1e-9,
    "zero": -0.0,
    "whole": 3.0,
    "text": "Zürich \u2028 \"'",
    "deep": [{"b": 1, "a": None}],
}


def facts(**changes) -> DecisionFacts:
    given = {
        "kind": "fraud.score", "subject_type": "payment", "subject_id": uuid4(), "input": {"amount": 12.5},
        "model": "fraud@abc", "latency_ms": 3.14159, "output": {"score": 0.25, "outcome": "approve"},
    }  # fmt: skip
    return DecisionFacts(**(given | changes))


def fill(organisation, entries: int = 3) -> DecisionRecord:
    for number in range(entries):
        audit_record(
            organisation=organisation, action="thing.made", object_type="thing", object_id=number, data=ODD
        )
    made = decisions_record(
        organisation=organisation,
        records=[facts(output=ODD, decided_at=timezone.now()), facts(text="Hello there")],
        job_id=uuid4(),
    )
    action_record(
        organisation=organisation, decision_id=made[0], action="overridden", reason="known customer"
    )
    with tenant(organisation):
        return DecisionRecord.objects.get(pk=made[0])


def test_it_works(world) -> None:
    roots_write(organisation=world.organisation)  # what making the world left
    with acting(Actor("person", str(world.owner.pk))):
        fill(world.organisation)
    assert world.organisation.pk in organisations_waiting()
    [root] = roots_write(organisation=world.organisation)
    assert root.count == 6
    fill(world.organisation, entries=1)
    [second] = roots_write(organisation=world.organisation)
    assert (second.sequence, second.previous) == (root.sequence + 1, root.hash)
    assert roots_write(organisation=world.organisation) == []
    with tenant(world.organisation):
        assert PendingLeaf.objects.count() == 0
        assert AuditEntry.objects.filter(action="thing.made", actor_id=str(world.owner.pk)).count() == 3


def test_a_digest_is_the_same_before_and_after_storing(world) -> None:
    fill(world.organisation)
    with tenant(world.organisation):
        for kind in (AuditEntry, DecisionRecord, HumanAction):
            rows = list(kind.objects.all())
            assert rows
            assert all(bytes(row.digest) == leaf_digest(row) for row in rows)


def test_a_text_is_kept_as_its_keyed_hash(world) -> None:
    decisions_record(organisation=world.organisation, records=[facts(text="Grüezi"), facts(text="Grüezi")])
    decisions_record(organisation=world.other, records=[facts(text="Grüezi")])
    with tenant(world.organisation):
        first, again = DecisionRecord.objects.all()
    with tenant(world.other):
        other = DecisionRecord.objects.get()
    assert first.output["text_length"] == 6
    assert "Grüezi" not in str(first.output)
    assert first.output["text_hash"] == again.output["text_hash"] != other.output["text_hash"]
    assert first.input_hash == again.input_hash != other.input_hash


def test_an_action_needs_a_reason_and_a_decision(world) -> None:
    record = fill(world.organisation)
    wrong = [
        ("overridden", "  ", InvalidInput),
        ("waved", "so", InvalidInput),
        ("confirmed", "x" * 1001, InvalidInput),
    ]
    for action, reason, error in wrong:
        with pytest.raises(error):
            action_record(
                organisation=world.organisation, decision_id=record.pk, action=action, reason=reason
            )
    with pytest.raises(NotFound):
        action_record(organisation=world.other, decision_id=record.pk, action="confirmed", reason="")
    action_record(organisation=world.organisation, decision_id=record.pk, action="confirmed", reason="")


def test_reading_again_within_a_minute_is_one_entry(world) -> None:
    subject = uuid4()
    for who in ("1", "2"):
        with acting(Actor("person", who)):
            for what in ("record", "notes", "record"):
                read_record(
                    organisation=world.organisation, subject_type="patient", subject_id=subject, what=what
                )
            for ids in ([1, 2], [1, 2], [2, 3], []):
                list_read_record(
                    organisation=world.organisation, subject_type="patient", subject_ids=ids, what="ward"
                )
    with tenant(world.organisation):
        assert AuditEntry.objects.filter(action="patient.read").count() == 4
        listed = AuditEntry.objects.filter(action="patient.listed", actor_id="1").order_by("id")
        assert [one.data["ids"] for one in listed] == [["1", "2"], ["2", "3"]]


@pytest.mark.parametrize("table", ["auditentry", "decisionrecord", "humanaction", "auditroot"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}", "DROP TRIGGER append_only ON {}"]
)
def test_the_application_cannot_change_the_trail(world, table: str, statement: str) -> None:
    fill(world.organisation)
    roots_write(organisation=world.organisation)
    with (
        tenant(world.organisation),
        connection.cursor() as cursor,
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
        transaction.atomic(),
    ):
        cursor.execute(statement.format(f"audit_{table}"))


def test_what_commits_late_waits_for_the_next_root(committed_world) -> None:
    """A row with an older id that commits after a root was written is sealed by the next one."""
    organisation = committed_world.organisation
    written, sealed = threading.Event(), threading.Event()

    def slow_writer() -> None:
        with tenant(organisation):
            audit_record(organisation=organisation, action="slow.made", object_type="thing")
            written.set()
            sealed.wait(10)
        connection.close()

    writer = threading.Thread(target=slow_writer)
    writer.start()
    written.wait(10)
    audit_record(organisation=organisation, action="fast.made", object_type="thing")
    first = roots_write(organisation=organisation)
    sealed.set()
    writer.join()
    second = roots_write(organisation=organisation)
    with tenant(organisation):
        slow = AuditEntry.objects.get(action="slow.made").pk
        fast = AuditEntry.objects.get(action="fast.made").pk
    assert slow < fast
    assert fast in {one.id for root in first for one in unpack(root.leaves)}
    assert [one.id for root in second for one in unpack(root.leaves)] == [slow]


def test_many_writers_and_two_sealers_lose_and_double_nothing(committed_world) -> None:
    organisation = committed_world.organisation
    done = threading.Event()

    def write(mark: int) -> None:
        for number in range(30):
            audit_record(
                organisation=organisation,
                action="load.made",
                object_type="thing",
                object_id=f"{mark}-{number}",
            )
        connection.close()

    def seal() -> None:
        while not done.is_set():
            roots_write(organisation=organisation, wait=False)
        connection.close()

    writers = [threading.Thread(target=write, args=(mark,)) for mark in range(4)]
    sealers = [threading.Thread(target=seal) for _ in range(2)]
    for thread in writers + sealers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in sealers:
        thread.join()
    roots_write(organisation=organisation)
    with tenant(organisation):
        roots = list(AuditRoot.objects.order_by("sequence"))
        entries = set(AuditEntry.objects.values_list("pk", flat=True))
    members = [one.id for root in roots for one in unpack(root.leaves)]
    assert len(members) == len(set(members))
    assert set(members) == entries
    assert [root.sequence for root in roots] == list(range(1, len(roots) + 1))
