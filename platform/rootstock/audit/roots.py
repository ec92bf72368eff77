"""Sealing: what waits becomes the leaves of a root that names the root before it.

Writers never wait for this and nothing slips past it. A row's trigger puts it among the waiting ones in its own
transaction, so it waits from the moment it can be seen; a root takes those that it sees and removes them from the
waiting ones in one transaction. A row that commits later, whatever its id or time, is still waiting for the next
root. Nothing depends on transaction numbers, so a dump restored elsewhere goes on where it stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Sum

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import every_tenant, tenant
from rootstock.audit.canonical import root_digest
from rootstock.audit.merkle import merkle_root
from rootstock.audit.models import AuditEntry, AuditRoot, DecisionRecord, HumanAction, Leaf, PendingLeaf
from rootstock.audit.witness import witness_owe, witness_tell

LEAF_KINDS: tuple[type[Leaf], ...] = (AuditEntry, DecisionRecord, HumanAction)
KIND_OF = {kind.LEAF: number for number, kind in enumerate(LEAF_KINDS)}
NOTHING = bytes(32)
"""What the first root names as the one before it."""
BATCH = 4096
_SIZE = 49
_TAKE = """
DELETE FROM audit_pendingleaf
WHERE organisation_id = %(organisation)s AND (%(last)s::uuid IS NULL OR id <= %(last)s::uuid)
RETURNING leaf, id, digest
"""


@dataclass(slots=True, frozen=True)
class Member:
    """One leaf of a root: what kind of row, its id, its digest."""

    kind: type[Leaf]
    id: UUID
    digest: bytes


def pack(members: Sequence[Member]) -> bytes:
    """`AuditRoot.leaves` of these members."""
    return b"".join(bytes([KIND_OF[one.kind.LEAF]]) + one.id.bytes + one.digest for one in members)


def unpack(leaves: bytes | memoryview) -> list[Member]:
    """The members of a root. Raises ValueError for bytes that no root was written with."""
    leaves = bytes(leaves)
    if len(leaves) % _SIZE:
        raise ValueError("the list of leaves is cut off")
    try:
        return [
            Member(LEAF_KINDS[leaves[at]], UUID(bytes=leaves[at + 1 : at + 17]), leaves[at + 17 : at + _SIZE])
            for at in range(0, len(leaves), _SIZE)
        ]
    except IndexError:
        raise ValueError("the list of leaves names an unknown kind") from None


def in_order(members: Sequence[Member]) -> list[Member]:
    """The order of leaves within a root: by id, and ids are ordered by time."""
    return sorted(members, key=lambda one: one.id.bytes)


def rows_of(members: Sequence[Member]) -> dict[UUID, Leaf]:
    """The rows of these members that are still there, by id. Call it inside `tenant()`."""
    rows: dict[UUID, Leaf] = {}
    for kind in LEAF_KINDS:
        ids = [one.id for one in members if one.kind is kind]
        if ids:
            found: Any = kind._default_manager.filter(pk__in=ids)
            rows |= {
                row.pk: row
                for row in (found.select_related("reason__subject") if kind is HumanAction else found)
            }
    return rows


def roots_write(*, organisation: Organisation | UUID, wait: bool = True) -> list[AuditRoot]:
    """Seal everything of the organisation that waits; `wait` for another process that is doing so."""
    made: list[AuditRoot] = []
    while (root := _root_write(organisation, wait)) is not None:
        made.append(root)
        if root.count < BATCH:
            break
    if (
        made and not connection.in_atomic_block
    ):  # of what may still be rolled back the clock tells, once it stands
        witness_tell(made[-1].organisation_id)
    return made


def organisations_waiting() -> list[UUID]:
    """The organisations with rows that no root has sealed yet."""
    with every_tenant("audit"):
        return list(PendingLeaf.objects.order_by().values_list("organisation_id", flat=True).distinct())


def _root_write(organisation: Organisation | UUID, wait: bool) -> AuditRoot | None:
    with tenant(organisation) as owner:
        if not _alone(owner, wait):
            return None
        members = _take(owner)
        if not members:
            return None
        last = AuditRoot.objects.defer("leaves").order_by("-sequence").first()
        root = AuditRoot(
            organisation_id=owner,
            sequence=last.sequence + 1 if last else 1,
            count=len(members),
            total=chain_length(last) + len(members),
            leaves=pack(members),
            merkle=merkle_root([one.digest for one in members]),
            previous=bytes(last.hash) if last else NOTHING,
        )
        root.hash = root_digest(root)
        root.save(force_insert=True)
        witness_owe(root)
    return root


def chain_length(last: AuditRoot | None) -> int:
    """How many leaves are sealed up to the last root. Roots of before `total` was kept are counted."""
    if last is None:
        return 0
    if last.total is None:
        return int(AuditRoot.objects.aggregate(leaves=Sum("count"))["leaves"])
    return last.total


def _alone(organisation: UUID, wait: bool) -> bool:
    """One writer of roots for an organisation at a time, until its transaction ends."""
    lock = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(hashtextextended(%s, 0))", [f"audit.roots {organisation}"])
        [taken] = cursor.fetchone()
    return wait or bool(taken)


def _take(organisation: UUID) -> list[Member]:
    """Up to about BATCH leaves; what commits meanwhile with an older id may come along."""
    waiting = PendingLeaf.objects.filter(organisation_id=organisation)
    last = waiting.order_by("id").values_list("pk", flat=True)[BATCH - 1 : BATCH].first()
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"organisation": organisation, "last": last})
        found = [Member(LEAF_KINDS[KIND_OF[leaf]], pk, bytes(digest)) for leaf, pk, digest in cursor]
    return in_order(found)
