"""Verification: the whole chain of an organisation against the rows as they are now.

Every root must follow the one before it, every leaf's row must still have the digest that was sealed, and there
must be no row that neither a root nor the waiting list knows. The first broken place is named.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal
from uuid import UUID

from django.db import connection

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.canonical import leaf_digest, root_digest
from rootstock.audit.keys import is_keyed_hash
from rootstock.audit.merkle import merkle_root
from rootstock.audit.models import ActionReason, AuditEntry, AuditRoot, HumanAction, Leaf, PendingLeaf
from rootstock.audit.roots import LEAF_KINDS, NOTHING, Member, in_order, rows_of, unpack
from rootstock.privacy.fields import ERASED, is_erased

Fault = Literal[
    "changed",
    "deleted",
    "inserted",
    "reordered",
    "root_missing",
    "root_changed",
    "root_reordered",
    "rewritten",
]
PRUNED = "audit.pruned"
CHUNK = 1000


@dataclass(slots=True, frozen=True)
class Broken:
    """A place where the chain does not hold: what was done, to which kind of row, and where."""

    fault: Fault
    what: str  # entry, decision, action, reason, root
    id: str
    sequence: int | None  # the root's
    says: str


@dataclass(slots=True, frozen=True)
class Verdict:
    """What a verification found."""

    ok: bool
    roots: int
    leaves: int
    waiting: int
    pruned: int
    last_hash: str
    broken: Broken | None = None

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


class ChainBroken(Exception):
    """The first broken place."""

    def __init__(self, fault: Fault, what: str, id: object, sequence: int | None, says: str) -> None:
        super().__init__(says)
        self.place = Broken(fault, what, str(id), sequence, says)


class _Walk:
    """One pass over an organisation's chain."""

    def __init__(self, witnessed: Mapping[int, str]) -> None:
        self.witnessed = witnessed
        self.roots = self.leaves = self.waiting = self.pruned = self.pruned_through = 0
        self.previous = NOTHING

    def run(self) -> Iterator[int]:
        """Root by root, telling how many rows were compared. Raises ChainBroken at the first broken place."""
        self.pruned_through = _pruned_through()
        for root in _each_root():
            self._members(root, self._root(root))
            yield self.leaves
        self._tail()
        self._waiting()
        self._nothing_more()

    def _root(self, root: AuditRoot) -> list[Member]:
        if root.sequence != self.roots + 1:
            raise ChainBroken(
                "root_missing", "root", self.roots + 1, self.roots + 1, f"root {self.roots + 1} is missing"
            )
        if root_digest(root) != bytes(root.hash):
            raise _root_fault(root, "what it says does not give its own hash")
        if bytes(root.previous) != self.previous:
            raise _root_fault(root, f"it does not follow root {self.roots}")
        members = _check_leaves(root)
        told = self.witnessed.get(root.sequence)
        if told is not None and told != bytes(root.hash).hex():
            raise ChainBroken(
                "rewritten",
                "root",
                root.pk,
                root.sequence,
                f"the witness was told another root {root.sequence}",
            )
        self.roots, self.previous = root.sequence, bytes(root.hash)
        return members

    def _members(self, root: AuditRoot, members: Sequence[Member]) -> None:
        for start in range(0, len(members), CHUNK):
            part = members[start : start + CHUNK]
            rows = rows_of(part)
            for member in part:
                row = rows.get(member.id)
                if row is None and root.sequence <= self.pruned_through:
                    self.pruned += 1
                else:
                    _check(member, row, root.sequence)
                self.leaves += 1

    def _tail(self) -> None:
        last = max(self.witnessed, default=0)
        if last > self.roots:
            raise ChainBroken(
                "root_missing",
                "root",
                last,
                last,
                f"the witness was told of root {last}; the chain ends at {self.roots}",
            )

    def _waiting(self) -> None:
        for part in _chunks(PendingLeaf.objects.order_by("id").iterator(CHUNK)):
            members = [Member(_kind(one.leaf), one.pk, bytes(one.digest)) for one in part]
            rows = rows_of(members)
            for member in members:
                _check(member, rows.get(member.id), None)
            self.waiting += len(members)

    def _nothing_more(self) -> None:
        """Counted in one statement, that is at one moment, so that what is written meanwhile does not matter."""
        with connection.cursor() as cursor:
            cursor.execute(_COUNTS)
            stored, sealed, waiting = cursor.fetchone()
        if stored != sealed - self.pruned + waiting:
            raise _stranger()


_COUNTS = f"""
SELECT {" + ".join(f"(SELECT count(*) FROM {kind._meta.db_table})" for kind in LEAF_KINDS)},
       (SELECT coalesce(sum(count), 0) FROM audit_auditroot), (SELECT count(*) FROM audit_pendingleaf)
"""


def chain_verify(
    *,
    organisation: Organisation | UUID,
    witnessed: Mapping[int, str] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Verdict:
    """Verify an organisation's chain; `witnessed` is what a witness was told (witness.witnessed)."""
    walk, broken = _Walk(witnessed or {}), None
    with tenant(organisation):
        total = sum(AuditRoot.objects.values_list("count", flat=True)) if progress else 0
    try:
        for done in _stepwise(organisation, walk.run()):
            if progress:
                progress(done, total)
    except ChainBroken as found:
        broken = found.place
    return Verdict(
        broken is None, walk.roots, walk.leaves, walk.waiting, walk.pruned, walk.previous.hex(), broken
    )


def _stepwise(organisation: Organisation | UUID, steps: Iterator[int]) -> Iterator[int]:
    """Each step in a transaction of its own, so that what a caller writes between them is seen at once."""
    while True:
        with tenant(organisation):
            done = next(steps, None)
        if done is None:
            return
        yield done


def _each_root() -> Iterator[AuditRoot]:
    """In order, one at a time: their lists of leaves are long."""
    after = 0
    while root := AuditRoot.objects.filter(sequence__gt=after).order_by("sequence").first():
        yield root
        after = root.sequence


def _check_leaves(root: AuditRoot) -> list[Member]:
    try:
        members = unpack(root.leaves)
    except ValueError as error:
        raise _root_fault(root, str(error)) from None
    if merkle_root([one.digest for one in members]) == bytes(root.merkle):
        if len(members) != root.count:
            raise _root_fault(root, f"it counts {root.count} leaves and lists {len(members)}")
        return members
    if merkle_root([one.digest for one in in_order(members)]) == bytes(root.merkle):
        raise ChainBroken(
            "reordered", "root", root.pk, root.sequence, f"the leaves of root {root.sequence} were reordered"
        )
    raise _root_fault(root, "its list of leaves does not give its Merkle root")


def _root_fault(root: AuditRoot, why: str) -> ChainBroken:
    """A root in another's place, or one that was changed."""
    others = AuditRoot.objects.exclude(pk=root.pk)
    moved = _digest_elsewhere(root)
    if moved is not None and others.filter(sequence=moved).exists():
        return ChainBroken(
            "root_reordered",
            "root",
            root.pk,
            root.sequence,
            f"roots {root.sequence} and {moved} changed places",
        )
    return ChainBroken(
        "root_changed", "root", root.pk, root.sequence, f"root {root.sequence} was changed: {why}"
    )


def _digest_elsewhere(root: AuditRoot) -> int | None:
    """The sequence under which this root's own hash would be right, if it is another's."""
    standing, wanted = root.sequence, bytes(root.hash)
    try:
        for sequence in AuditRoot.objects.exclude(pk=root.pk).values_list("sequence", flat=True):
            root.sequence = sequence
            if root_digest(root) == wanted:
                return sequence
    finally:
        root.sequence = standing
    return None


def _kind(leaf: str) -> type[Leaf]:
    found = next((kind for kind in LEAF_KINDS if leaf == kind.LEAF), None)
    if found is None:
        raise ChainBroken(
            "changed", "waiting list", leaf, None, f"something waits as {leaf!r}, which is no kind"
        )
    return found


def _check(member: Member, row: Leaf | None, sequence: int | None) -> None:
    name = member.kind.LEAF
    where = f"sealed by root {sequence}" if sequence else "waiting for its root"
    if row is None:
        raise ChainBroken("deleted", name, member.id, sequence, f"{name} {member.id}, {where}, is gone")
    if leaf_digest(row) != member.digest or bytes(row.digest) != member.digest:
        raise ChainBroken("changed", name, member.id, sequence, f"{name} {member.id}, {where}, was changed")
    if isinstance(row, HumanAction):
        _check_reason(row, sequence)


def _check_reason(row: HumanAction, sequence: int | None) -> None:
    """The words of a reason may be erased; they may not be others."""
    reason: ActionReason | None = getattr(row, "reason", None)
    text = reason.text if reason is not None else ERASED
    if not is_erased(text) and not is_keyed_hash(row.organisation_id, text.encode(), bytes(row.reason_hash)):
        raise ChainBroken(
            "changed", "reason", row.pk, sequence, f"the words of the reason of action {row.pk} were changed"
        )


def _pruned_through() -> int:
    """The last root whose rows retention has taken, by its own record in the trail."""
    told = AuditEntry.objects.filter(action=PRUNED).values_list("data__through_sequence", flat=True)
    return max((int(one) for one in told if one), default=0)


def _stranger() -> ChainBroken:
    """Find the first row that nobody sealed and that does not wait."""
    known: set[bytes] = set()
    for root in _each_root():
        known.update(one.id.bytes for one in unpack(root.leaves))
    known.update(one.bytes for one in PendingLeaf.objects.values_list("pk", flat=True))
    for kind in LEAF_KINDS:
        for pk in kind._default_manager.order_by("id").values_list("pk", flat=True).iterator(CHUNK):
            if pk.bytes not in known:
                says = f"{kind.LEAF} {pk} is in no root: it was put in, or its root was deleted"
                return ChainBroken("inserted", kind.LEAF, pk, None, says)
    return ChainBroken(
        "inserted", "root", "", None, "the numbers of rows and leaves differ: a leaf is sealed twice"
    )


def _chunks(rows: Iterator[PendingLeaf]) -> Iterator[list[PendingLeaf]]:
    for _, part in groupby(enumerate(rows), key=lambda pair: pair[0] // CHUNK):
        yield [row for _, row in part]
