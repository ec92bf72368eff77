"""Reads of the trail: filtered lists, one row with its proof, the state of the chain."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.canonical import leaf_digest, root_digest
from rootstock.audit.merkle import merkle_check, merkle_proof
from rootstock.audit.models import (
    AuditEntry,
    AuditRoot,
    DecisionRecord,
    HumanAction,
    Leaf,
    PendingLeaf,
    WitnessState,
)
from rootstock.audit.roots import chain_length, unpack
from rootstock.errors import NotFound
from rootstock.ids import CLOCKS, made_between
from rootstock.privacy.fields import is_erased

VERIFIED = "audit.verified"


@dataclass(slots=True, frozen=True)
class EntryFilter:
    """Which entries; empty means all."""

    actor_kind: str = ""
    actor: str = ""
    action: str = ""
    object_type: str = ""
    object_id: str = ""
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True, frozen=True)
class DecisionFilter:
    """Which decisions; empty means all."""

    vertical: str = ""
    kind: str = ""
    subject_type: str = ""
    subject_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True, frozen=True)
class Proof:
    """That a row is a leaf of a root: its digest, its place, and the hashes from there to the root."""

    digest: bytes
    sequence: int
    root_hash: bytes
    merkle: bytes
    index: int
    count: int
    path: list[bytes]
    holds: bool
    sealed_at: datetime


@dataclass(slots=True, frozen=True)
class Chain:
    """How far an organisation's chain has come."""

    last: AuditRoot | None
    roots: int
    leaves: int
    waiting: int
    oldest_waiting: datetime | None
    verified: AuditEntry | None
    witness: WitnessState | None

    @property
    def untold(self) -> int:
        """Roots that the witness outside has not been told of."""
        return self.roots - self.witness.told if self.witness else 0


def entries(wanted: EntryFilter) -> QuerySet[AuditEntry]:
    """Entries; evaluate it inside `tenant()`."""
    plain = {
        "actor_kind": wanted.actor_kind,
        "actor_id": wanted.actor,
        "action": wanted.action,
        "object_type": wanted.object_type,
        "object_id": wanted.object_id,
        "request_id": wanted.request_id,
    }
    found = AuditEntry.objects.filter(**{name: value for name, value in plain.items() if value})
    return made_between(found, "at", wanted.since, wanted.until)


def decisions(wanted: DecisionFilter) -> QuerySet[DecisionRecord]:
    """Decision records; evaluate it inside `tenant()`."""
    plain = {
        "kind": wanted.kind,
        "kind__startswith": f"{wanted.vertical}." if wanted.vertical else "",
        "subject_type": wanted.subject_type,
        "subject_id": wanted.subject_id,
    }
    found = DecisionRecord.objects.filter(**{name: value for name, value in plain.items() if value})
    return made_between(found, "decided_at", wanted.since, wanted.until)


def entry_get(*, organisation: Organisation, entry_id: UUID) -> AuditEntry:
    """One entry."""
    with tenant(organisation):
        entry = AuditEntry.objects.filter(pk=entry_id).first()
    if entry is None:
        raise NotFound("no such entry")
    return entry


def decision_get(*, organisation: Organisation, decision_id: UUID) -> DecisionRecord:
    """One decision with what people did with it (`actions`, each with its reason), oldest first."""
    with tenant(organisation):
        record = DecisionRecord.objects.filter(pk=decision_id).first()
        if record is None:
            raise NotFound("no such decision")
        return _with_actions([record])[0]


def decisions_of(
    *, organisation: Organisation, subject_type: str, subject_id: object, limit: int = 5
) -> list[DecisionRecord]:
    """The newest decisions on one thing, with what people did with them."""
    wanted = DecisionFilter(subject_type=subject_type, subject_id=str(subject_id))
    with tenant(organisation):
        return _with_actions(list(decisions(wanted).order_by("-id")[:limit]))


def proof_of(*, organisation: Organisation, row: Leaf, at: datetime) -> Proof | None:
    """The proof of a row that was written at about that time; None while it waits for its root."""
    with tenant(organisation):
        root = _root_of(row.pk, at)
    if root is None:
        return None
    members = unpack(root.leaves)
    index = next(place for place, one in enumerate(members) if one.id == row.pk)
    digests = [one.digest for one in members]
    digest, path, merkle = leaf_digest(row), merkle_proof(digests, index), bytes(root.merkle)
    holds = merkle_check(digest, index, root.count, path, merkle) and root_digest(root) == bytes(root.hash)
    return Proof(digest, root.sequence, bytes(root.hash), merkle, index, root.count, path, holds, root.at)


def reason_of(action: HumanAction) -> str | None:
    """The words of a human action's reason; None where they were erased with the person's data."""
    reason = getattr(action, "reason", None)
    return None if reason is None or is_erased(reason.text) else str(reason.text)


def chain_broken(*, organisation: Organisation | UUID) -> bool:
    """Whether the last verification found the chain broken."""
    with tenant(organisation):
        last = _verified()
    return last is not None and not last.data["ok"]


def _verified() -> AuditEntry | None:
    return AuditEntry.objects.filter(action=VERIFIED).order_by("-id").first()


def chain_of(*, organisation: Organisation) -> Chain:
    """The last root, what waits, and the last verification."""
    with tenant(organisation):
        last = AuditRoot.objects.defer("leaves").order_by("-sequence").first()
        oldest = PendingLeaf.objects.order_by("organisation_id", "id").first()
        return Chain(
            last=last,
            roots=last.sequence if last else 0,
            leaves=chain_length(last),
            waiting=PendingLeaf.objects.count(),
            oldest_waiting=_moment(oldest.pk) if oldest else None,
            verified=_verified(),
            witness=WitnessState.objects.first(),
        )


def values_of(*, organisation: Organisation, model: type[Leaf], column: str) -> list[str]:
    """The different values of a column that an index (organisation, column, ...) leads with, by skipping in it."""
    table, name = (connection.ops.quote_name(one) for one in (model._meta.db_table, column))
    with tenant(organisation) as owner, connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE found (value) AS (
                (SELECT {name} FROM {table} WHERE organisation_id = %(owner)s ORDER BY {name} LIMIT 1)
                UNION ALL
                SELECT (SELECT {name} FROM {table} WHERE organisation_id = %(owner)s AND {name} > found.value
                        ORDER BY {name} LIMIT 1)
                FROM found WHERE found.value IS NOT NULL
            )
            SELECT value FROM found WHERE value IS NOT NULL
            """,
            {"owner": owner},
        )
        return [value for (value,) in cursor]


def actors_of_trail(*, organisation: Organisation, most: int) -> list[tuple[str, str]]:
    """Who has acted, as (kind, id): up to `most` of them."""
    ids = values_of(organisation=organisation, model=AuditEntry, column="actor_id")[:most]
    with tenant(organisation) as owner, connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT one.kind, wanted.id FROM unnest(%(ids)s::text[]) AS wanted(id)
            CROSS JOIN LATERAL (
                SELECT actor_kind AS kind FROM audit_auditentry
                WHERE organisation_id = %(owner)s AND actor_id = wanted.id ORDER BY id DESC LIMIT 1
            ) AS one
            """,
            {"ids": ids, "owner": owner},
        )
        return [(kind, id) for kind, id in cursor]


def _with_actions(records: list[DecisionRecord]) -> list[DecisionRecord]:
    ids = [record.pk for record in records]
    actions: Any = HumanAction.objects.filter(decision_id__in=ids).order_by("id")
    by_decision: dict[UUID, list[HumanAction]] = {}
    for action in actions.select_related("reason__subject"):
        by_decision.setdefault(action.decision_id, []).append(action)
    for record in records:
        record._prefetched_objects_cache = {"actions": by_decision.get(record.pk, [])}  # type: ignore[attr-defined]
    return records


def _root_of(leaf: UUID, at: datetime) -> AuditRoot | None:
    """The root that lists the leaf: the first or one of the first written after it."""
    later = AuditRoot.objects.filter(at__gte=at - CLOCKS)
    listing = later.extra(where=["position(%s::bytea in leaves) > 0"], params=[leaf.bytes])
    return listing.order_by("at").first()


def _moment(id: UUID) -> datetime:
    return datetime.fromtimestamp((id.int >> 80) / 1000, tz=UTC)
