"""Whatever the owner of the database changes, verification finds it and names it."""

import hmac
import json
import random
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction
from django.utils import timezone

from rootstock.accounts.tenancy import tenant
from rootstock.audit import export, services
from rootstock.audit.canonical import leaf_digest
from rootstock.audit.decisions import input_hash
from rootstock.audit.export import trail_lines
from rootstock.audit.models import ActionReason, AuditEntry, AuditRoot, DecisionRecord, HumanAction
from rootstock.audit.offline import file_verify
from rootstock.audit.retention import trail_prune
from rootstock.audit.roots import roots_write
from rootstock.audit.selectors import reason_of
from rootstock.audit.services import audit_record
from rootstock.audit.verify import chain_verify
from rootstock.audit.witness import telling, witnessed
from rootstock.privacy import indexes, keyring, rotation
from rootstock.privacy.subjects import key_destroy
from tests.rootstock.audit.test_trail import fill

TABLES = ("audit_auditentry", "audit_decisionrecord", "audit_humanaction")


def chain(organisation, roots: int = 3) -> None:
    for _ in range(roots):
        fill(organisation, entries=2)
        roots_write(organisation=organisation)
    fill(organisation, entries=1)  # these wait


@pytest.fixture
def owner(django_db_setup, committed):
    """Statements of the owner's role, with the triggers out of the way: the strongest adversary beside a superuser."""

    def run(statement: str, *values: object) -> list[tuple]:
        with transaction.atomic(using="admin"), connections["admin"].cursor() as cursor:
            for table in (*TABLES, "audit_auditroot"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(statement, values)
            assert cursor.rowcount, f"{statement} touched nothing"
            found = cursor.fetchall() if cursor.description else []
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table in (*TABLES, "audit_auditroot"):
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        return found

    yield run
    connections["admin"].close()


def fault(world, **options) -> str:
    verdict = chain_verify(organisation=world.organisation, **options)
    return verdict.broken.fault if verdict.broken else ""


def test_it_works(committed_world) -> None:
    chain(committed_world.organisation)
    verdict = chain_verify(organisation=committed_world.organisation)
    assert verdict.ok, verdict.broken
    assert verdict.roots >= 3
    assert verdict.leaves >= 15
    assert verdict.waiting == 4
    assert chain_verify(organisation=committed_world.other).ok


def test_the_command_says_which_place_is_broken(committed_world, owner) -> None:
    chain(committed_world.organisation)
    slug, out = committed_world.organisation.slug, StringIO()
    call_command("audit_verify", organisation=slug, stdout=out)
    assert f"{slug}: intact" in out.getvalue()
    with tenant(committed_world.organisation):
        entry = AuditEntry.objects.order_by("id")[1]
    owner("UPDATE audit_auditentry SET action = 'thing.hidden' WHERE id = %s", entry.pk)
    with pytest.raises(SystemExit) as ended:
        call_command("audit_verify", organisation=slug, stdout=out)
    assert ended.value.code == 1
    assert f"BROKEN (changed): entry {entry.pk}" in out.getvalue()


def _any(kind, organisation):
    with tenant(organisation):
        return random.choice(list(kind.objects.all()))


TAMPER = {
    "changed": [
        ("UPDATE audit_auditentry SET actor_id = 'x' WHERE id = %(entry)s", "changed"),
        ("UPDATE audit_auditentry SET at = at + interval '1 s' WHERE id = %(entry)s", "changed"),
        ("UPDATE audit_auditentry SET data = data || '{{\"n\": 2}}' WHERE id = %(entry)s", "changed"),
        ("UPDATE audit_auditentry SET digest = %(junk)s WHERE id = %(entry)s", "changed"),
        ("UPDATE audit_decisionrecord SET latency_ms = latency_ms + 1 WHERE id = %(decision)s", "changed"),
        ("UPDATE audit_decisionrecord SET output = '{{}}' WHERE id = %(decision)s", "changed"),
        ("UPDATE audit_decisionrecord SET model_digest = 'b' WHERE id = %(decision)s", "changed"),
        ("UPDATE audit_humanaction SET action = 'confirmed' WHERE organisation_id = %(org)s", "changed"),
    ],
    "deleted": [
        ("DELETE FROM audit_auditentry WHERE id = %(entry)s", "deleted"),
        ("DELETE FROM audit_decisionrecord WHERE id = %(decision)s", "deleted"),
        ("DELETE FROM audit_humanaction WHERE organisation_id = %(org)s", "deleted"),
        ("UPDATE audit_auditentry SET id = gen_random_uuid() WHERE id = %(entry)s", "deleted"),
        ("UPDATE audit_auditentry SET organisation_id = %(other)s WHERE id = %(entry)s", "deleted"),
    ],
    "inserted": [
        (
            "INSERT INTO audit_auditentry SELECT gen_random_uuid(), actor_kind, actor_id, action, object_type,"
            " object_id, data, request_id, at, organisation_id, digest FROM audit_auditentry WHERE id = %(entry)s",
            "inserted",
        ),
        ("DELETE FROM audit_pendingleaf WHERE organisation_id = %(org)s", "inserted"),
        ("DELETE FROM audit_auditroot WHERE organisation_id = %(org)s AND sequence = %(last)s", "inserted"),
    ],
    "roots": [
        ("DELETE FROM audit_auditroot WHERE organisation_id = %(org)s AND sequence = 2", "root_missing"),
        ("DELETE FROM audit_auditroot WHERE organisation_id = %(org)s AND sequence = 1", "root_missing"),
        ("UPDATE audit_auditroot SET count = count + 1 WHERE organisation_id = %(org)s", "root_changed"),
        ("UPDATE audit_auditroot SET at = now() WHERE organisation_id = %(org)s", "root_changed"),
        ("UPDATE audit_auditroot SET merkle = %(junk)s WHERE organisation_id = %(org)s", "root_changed"),
        ("UPDATE audit_auditroot SET previous = %(junk)s WHERE organisation_id = %(org)s", "root_changed"),
        ("UPDATE audit_auditroot SET hash = %(junk)s WHERE organisation_id = %(org)s", "root_changed"),
        ("UPDATE audit_auditroot SET leaves = leaves || leaves WHERE organisation_id = %(org)s", "root_changed"),
        (
            "UPDATE audit_auditroot SET leaves = substr(leaves, 50) || substr(leaves, 1, 49)"
            " WHERE organisation_id = %(org)s AND sequence = %(last)s",
            "reordered",
        ),
        ("UPDATE audit_pendingleaf SET digest = %(junk)s WHERE organisation_id = %(org)s", "changed"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "expected"),
    [pair for pairs in TAMPER.values() for pair in pairs],
    ids=lambda text: text[:60],
)
def test_every_kind_of_tampering_is_found(committed_world, owner, statement: str, expected: str) -> None:
    organisation = committed_world.organisation
    chain(organisation)
    with tenant(organisation):
        last = AuditRoot.objects.order_by("-sequence")[0].sequence
    values = {
        "entry": _any(AuditEntry, organisation).pk,
        "decision": _any(DecisionRecord, organisation).pk,
        "org": organisation.pk,
        "other": committed_world.other.pk,
        "junk": b"x" * 32,
        "last": last,
    }
    wanted = statement.replace("{{", "{").replace("}}", "}")
    names = [part.split(")s")[0] for part in wanted.split("%(")[1:]]
    for name in values:
        wanted = wanted.replace(f"%({name})s", "%s")
    owner(wanted, *[values[name] for name in names])
    assert fault(committed_world) == expected


def test_roots_that_change_places_are_named(committed_world, owner) -> None:
    chain(committed_world.organisation)
    organisation = committed_world.organisation.pk
    for old, new in ((2, 99), (3, 2), (99, 3)):
        owner(
            "UPDATE audit_auditroot SET sequence = %s WHERE organisation_id = %s AND sequence = %s",
            new, organisation, old,
        )  # fmt: skip
    assert fault(committed_world) == "root_reordered"


def test_two_entries_that_change_places_are_found(committed_world, owner) -> None:
    chain(committed_world.organisation)
    with tenant(committed_world.organisation):
        first, second = AuditEntry.objects.order_by("id")[:2]
    spare = AuditEntry().pk
    for new, old in ((spare, first.pk), (first.pk, second.pk), (second.pk, spare)):
        owner("UPDATE audit_auditentry SET id = %s WHERE id = %s", new, old)
    assert fault(committed_world) == "changed"


@pytest.mark.parametrize("seed", range(12))
def test_a_random_byte_changed_anywhere_is_found(committed_world, owner, seed: int) -> None:
    """A digest is mended with its row, as a careful forger would: the root still tells."""
    rng = random.Random(seed)
    chain(committed_world.organisation, roots=2)
    with tenant(committed_world.organisation):
        row = rng.choice([*AuditEntry.objects.all(), *DecisionRecord.objects.all()])
    name = rng.choice([n for n in row.HASHED if isinstance(getattr(row, n), str) and n != "kind"])
    text = getattr(row, name)
    place = rng.randrange(len(text) + 1)
    forged = text[:place] + chr(rng.randrange(97, 123)) + text[place + rng.randrange(2) :]
    if forged == text:
        forged += "x"
    setattr(row, name, forged)
    owner(
        f"UPDATE {row._meta.db_table} SET {name} = %s, digest = %s WHERE id = %s",
        forged, leaf_digest(row), row.pk,
    )  # fmt: skip
    assert fault(committed_world) == "changed"


def test_the_witness_notices_a_chain_that_was_made_anew(committed_world, owner, tmp_path: Path) -> None:
    organisation = committed_world.organisation
    chain(organisation)
    told = tmp_path / "witness.log"
    with tenant(organisation):
        roots = list(AuditRoot.objects.order_by("sequence"))
    lines = (f"INFO audit root {json.dumps(telling(root), separators=(',', ':'))}" for root in roots)
    told.write_text("".join(f"{line}\nsomething else\n" for line in lines))
    seen = witnessed(told, str(organisation.pk))
    assert len(seen) == len(roots)
    assert fault(committed_world, witnessed=seen) == ""
    owner("DELETE FROM audit_auditroot WHERE organisation_id = %s", organisation.pk)
    for table, leaf in zip(TABLES, ("entry", "decision", "action"), strict=True):
        owner(
            "INSERT INTO audit_pendingleaf (id, organisation_id, leaf, digest)"
            f" SELECT id, organisation_id, %s, digest FROM {table} WHERE organisation_id = %s"
            " ON CONFLICT DO NOTHING",
            leaf, organisation.pk,
        )  # fmt: skip
    roots_write(organisation=organisation)
    assert fault(committed_world) == ""  # by itself it is whole again
    assert fault(committed_world, witnessed=seen) == "rewritten"
    assert fault(committed_world, witnessed={99: "ab"}) == "root_missing"


def test_the_words_of_a_reason_may_be_erased_and_not_exchanged(committed_world) -> None:
    chain(committed_world.organisation)
    with tenant(committed_world.organisation):
        first, second, *_ = ActionReason.objects.all()
        sealed_table = connections["default"].cursor()
        sealed_table.execute("SELECT text FROM audit_actionreason")
        assert all(b"customer" not in bytes(text) for (text,) in sealed_table.fetchall())
        key_destroy(first.subject)
    assert fault(committed_world) == ""
    with tenant(committed_world.organisation):
        assert reason_of(HumanAction.objects.select_related("reason__subject").get(reason=first)) is None
        second.text = "another reason"
        second.save()
    assert fault(committed_world) == "changed"


def _legacy_hash(organisation: UUID, text: str) -> bytes:
    """As it was made before keys were stored."""
    key = hmac.digest(settings.SECRET_KEY.encode(), b"rootstock.audit.input:" + organisation.bytes, "sha256")
    return hmac.digest(key, text.encode(), "sha256")


@pytest.mark.parametrize("legacy", [False, True])
def test_the_words_of_a_reason_outlive_the_secret_key(
    committed_world, settings, monkeypatch, legacy: bool
) -> None:
    organisation = committed_world.organisation
    if legacy:
        monkeypatch.setattr(services, "keyed_hash", lambda owner, value: _legacy_hash(owner, value.decode()))
    chain(organisation)
    assert fault(committed_world) == ""
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key"
    assert fault(committed_world) == ""
    settings.SECRET_KEY_FALLBACKS = []
    assert fault(committed_world) == ("changed" if legacy else "")


def test_hashes_outlive_the_secret_key_and_the_master_key(committed_world, settings) -> None:
    organisation, usual = committed_world.organisation, Path(settings.MASTER_KEYS).read_text().strip()
    settings.MASTER_KEYS = f"{keyring.new_key('before')},{usual}"
    indexes._known.pop(organisation.pk, None)
    before = input_hash(organisation, {"amount": 1})
    settings.SECRET_KEY = "another secret key"
    after = keyring.new_key("after")
    settings.MASTER_KEYS = f"{after},{settings.MASTER_KEYS}"
    rotation.rewrap(organisation)
    settings.MASTER_KEYS = f"{after},{usual}"
    indexes._known.pop(organisation.pk, None)
    try:
        assert input_hash(organisation, {"amount": 1}) == before
        assert input_hash(committed_world.other, {"amount": 1}) != before
    finally:  # other tests read what this one committed
        settings.MASTER_KEYS = f"{usual},{after}"
        for one in (organisation, committed_world.other):
            rotation.rewrap(one)


def test_retention_is_on_record_and_leaves_a_chain_that_verifies(committed_world) -> None:
    organisation = committed_world.organisation
    chain(organisation)
    audit_record(organisation=organisation, action="thing.kept", object_type="thing")
    with tenant(organisation):
        before = AuditRoot.objects.get(sequence=2).at + timedelta(microseconds=1)
    taken = trail_prune(organisation=organisation, before=before, reason="ten years")
    assert (taken.through_sequence, taken.rows) == (2, taken.rows)
    assert taken.rows > 0
    verdict = chain_verify(organisation=organisation)
    assert verdict.ok, verdict.broken
    assert verdict.pruned == taken.rows
    with tenant(organisation):
        [record] = AuditEntry.objects.filter(action="audit.pruned")
        assert record.data["through_sequence"] == 2
    assert trail_prune(organisation=organisation, before=before, reason="again").rows == 0


def test_retention_refuses_a_broken_chain(committed_world, owner) -> None:
    chain(committed_world.organisation)
    owner(
        "DELETE FROM audit_auditroot WHERE organisation_id = %s AND sequence = 2",
        committed_world.organisation.pk,
    )
    with pytest.raises(Exception, match="root 2 is missing"):
        trail_prune(organisation=committed_world.organisation, before=timezone.now(), reason="ten years")


def test_an_export_verifies_without_the_database(committed_world, tmp_path: Path, monkeypatch) -> None:
    organisation = committed_world.organisation
    chain(organisation)
    monkeypatch.setattr(export, "CHUNK", 2)  # several pieces
    path = tmp_path / "trail.jsonl"
    path.write_bytes(b"".join(trail_lines(organisation=organisation)))
    verdict = file_verify(path)
    assert verdict.ok, verdict.broken
    assert verdict.waiting == 4
    assert verdict.leaves == chain_verify(organisation=organisation).leaves
    out = StringIO()
    call_command("audit_verify", file=str(path), stdout=out)
    assert "intact" in out.getvalue()
    lines = path.read_bytes().splitlines(keepends=True)
    rng = random.Random(1)
    for _ in range(60):
        at = rng.randrange(len(lines))
        line, place = lines[at], rng.randrange(len(lines[at]) - 1)
        changed = bytes([line[place] ^ (1 << rng.randrange(7))])
        for forged in (
            [*lines[:at], line[:place] + changed + line[place + 1 :], *lines[at + 1 :]],
            [*lines[:at], *lines[at + 1 :]],
            [*lines[:at], line, *lines[at:]],
        ):
            path.write_bytes(b"".join(forged))
            assert not file_verify(path).ok, (at, place, line, changed)
