"""How an alias moves: locked, counted, written down. Who may move it: `rootstock.registry.aliases`."""

from django.db.models import prefetch_related_objects
from django.utils import timezone

from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, NotFound
from rootstock.privacy.persons import name_of
from rootstock.registry.fitness import unfit
from rootstock.registry.models import AdapterVersion, Alias, AliasMove, Change, Move, Promotion

MOVES = {Change.SERVE: Move.SERVE, Change.CANARY: Move.CANARY, Change.SHADOW: Move.SHADOW}


def alias_locked(name: str) -> Alias:
    """The alias, until the end of the transaction nobody else's. Call it inside `tenant()`."""
    row = Alias.objects.select_for_update().filter(name=name).first()
    if row is None:
        raise NotFound(f"alias: your organisation has no alias {name[:80]!r}")
    return row


def promoted(promotion: Promotion) -> Alias:
    """The alias, changed as the promotion says, or made."""
    version = promotion.version
    row = Alias.objects.select_for_update().filter(name=promotion.alias).first()
    if row is None:
        row = Alias(
            organisation_id=promotion.organisation_id, name=promotion.alias, current=version, generation=0
        )
        row.moved_at = timezone.now()
        row.save(force_insert=True)
        before = None
    else:
        before = row.current if promotion.change == Change.SERVE else getattr(row, promotion.change)
    move(row, MOVES[Change(promotion.change)], version, before=before, promotion=promotion)
    if promotion.change == Change.SERVE:
        row.current = version
        if row.canary == version:  # it has proven itself
            row.canary, row.canary_share = None, 0.0
    else:
        setattr(row, promotion.change, version)
        setattr(row, f"{promotion.change}_share", promotion.share)
    row.save()
    return row


def move(
    row: Alias,
    kind: Move,
    after: AdapterVersion | None,
    *,
    before: AdapterVersion | None = None,
    reason: str = "",
    promotion: Promotion | None = None,
) -> None:
    """Count a move of the locked alias, and write it down: who moved it, from what to what, and why."""
    if kind == Move.ROLL_BACK:
        before = row.current
    row.generation, row.moved_at = row.generation + 1, timezone.now()
    told = {"before": before.reference if before else "", "after": after.reference if after else ""}
    share = promotion.share if promotion else 1.0
    AliasMove.objects.create(
        organisation_id=row.organisation_id, alias=row, generation=row.generation, move=kind, version=after,
        share=share, promotion=promotion, moved_by=name_of(), reason=reason or (promotion and promotion.reason) or "",
        **told,
    )  # fmt: skip
    audit_record(
        organisation=row.organisation_id,
        action=f"alias.{kind}",
        object_type="alias",
        object_id=row.pk,
        data={"alias": row.name, "generation": row.generation, "share": share, **told},
    )


def served_before(row: Alias) -> AdapterVersion:
    """What the alias served to everybody before the present version, and can serve again: what a roll-back gives.

    Call it inside `tenant()`. Raises Conflict when there is none.
    """
    served: list[AdapterVersion | None] = []
    moves = row.moves.filter(move__in=(Move.SERVE, Move.ROLL_BACK)).select_related("version__base")
    for one in moves.order_by("generation"):
        if one.move == Move.ROLL_BACK and one.version in served:
            while served[-1] != one.version:  # it may have served more than once: back to its last time
                served.pop()
        else:
            served.append(one.version)
    for version in reversed(served[:-1]):
        if version and version != row.current and not unfit(version):
            return version
    raise Conflict(f"{row.name} has served no other version that can still be served")


def with_versions(row: Alias) -> Alias:
    """The alias, with the versions that it names read: to be told of outside `tenant()`."""
    prefetch_related_objects([row], "current", "canary", "shadow")
    return row
