"""Writes on aliases: what one serves is changed by two people, and taken back by one, at once."""

import re
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput, NotFound
from rootstock.privacy.persons import check_two_persons, name_of, person_behind
from rootstock.registry.fitness import unfit
from rootstock.registry.models import AdapterVersion, Alias, AliasMove, Change, Move, Promotion
from rootstock.registry.selectors import Reference, version_named
from rootstock.webhooks.services import event_emit

ALIAS = re.compile(r"[a-z0-9][a-z0-9-]{1,62}:[a-z][a-z0-9-]{1,19}")
REASON_LIMIT = 300
MOVES = {Change.SERVE: Move.SERVE, Change.CANARY: Move.CANARY, Change.SHADOW: Move.SHADOW}


def promotion_request(
    *,
    organisation: Organisation,
    alias: str,
    reference: Reference,
    change: str,
    reason: str,
    share: float = 1.0,
) -> Promotion:
    """Ask that `alias` serves a version, to everybody, to a share, or in the shadow; a second person decides.

    An alias that is not there yet is made by the first promotion to serve. Raises InvalidInput naming the field,
    NotFound, and Conflict when the same change is open already.
    """
    _check_alias(alias)
    _check_change(change, share)
    with tenant(organisation) as owner:
        version = _servable(reference)
        _check_use(alias, version, change)
        promotion = Promotion(
            organisation_id=owner, alias=alias, version=version, change=change, reason=reason_given(reason),
            share=1.0 if change == Change.SERVE else share,
            requested_by=name_of(), person=person_behind(name_of()),
        )  # fmt: skip
        _insert(promotion)
        _tell(promotion, "requested")
    return promotion


def promotion_approve(
    *, organisation: Organisation, promotion_id: UUID, because: str = "", without_evaluation: bool = False
) -> Alias:
    """Agree, as somebody else than who asked; the alias moves in the same transaction.

    The version must have been evaluated on a frozen test set; to agree without that takes a reason.
    """
    with tenant(organisation):
        promotion = _open(promotion_id)
        check_two_persons(promotion.person, name_of())
        version = _servable(promotion.version_id)
        _check_use(promotion.alias, version, promotion.change)
        _check_evaluated(version, because, without_evaluation)
        _decide(promotion, Promotion.State.APPROVED, because)
        alias = _moved(promotion)
        _tell(promotion, "approved")
    return alias


def promotion_refuse(*, organisation: Organisation, promotion_id: UUID, because: str) -> Promotion:
    """Do not agree. Whoever asked withdraws it so."""
    with tenant(organisation):
        promotion = _open(promotion_id)
        own = promotion.person == person_behind(name_of())
        _decide(
            promotion, Promotion.State.WITHDRAWN if own else Promotion.State.REFUSED, reason_given(because)
        )
        _tell(promotion, "withdrawn" if own else "refused")
    return promotion


def alias_roll_back(*, organisation: Organisation, alias: str, reason: str) -> Alias:
    """Back to what the alias served before, at once and by one person; a canary and a shadow end with it.

    What it goes back to was agreed on by two. Raises Conflict when there is nothing to go back to.
    """
    with tenant(organisation):
        row = alias_locked(alias)
        before = served_before(row)
        _move(row, Move.ROLL_BACK, before, reason=reason_given(reason))
        row.current, row.canary, row.shadow = before, None, None
        row.canary_share = row.shadow_share = 0.0
        row.save()
        event_emit(
            organisation=organisation,
            type="alias.rolled_back",
            data={"alias": alias, "adapter": before.reference},
        )
    return row


def alias_end(*, organisation: Organisation, alias: str, what: str, reason: str) -> Alias:
    """End the alias's canary or shadow; everybody gets what it serves. One person may."""
    if what not in (Change.CANARY, Change.SHADOW):
        raise InvalidInput.field("what", "must be canary or shadow")
    with tenant(organisation):
        row = alias_locked(alias)
        if getattr(row, what) is None:
            raise Conflict(f"{alias} has no {what}")
        _move(row, Move(f"end_{what}"), None, before=getattr(row, what), reason=reason_given(reason))
        setattr(row, what, None)
        setattr(row, f"{what}_share", 0.0)
        row.save()
    return row


def alias_locked(name: str) -> Alias:
    """The alias, until the end of the transaction nobody else's. Call it inside `tenant()`."""
    rows = Alias.objects.select_for_update(of=("self",)).select_related("current", "canary", "shadow")
    row = rows.filter(name=name).first()
    if row is None:
        raise NotFound(f"alias: your organisation has no alias {name[:80]!r}")
    return row


def _moved(promotion: Promotion) -> Alias:
    """The alias, changed as the promotion says, or made."""
    version = promotion.version
    row = Alias.objects.select_for_update(of=("self",)).filter(name=promotion.alias).first()
    if row is None:
        row = Alias(
            organisation_id=promotion.organisation_id, name=promotion.alias, current=version, generation=0
        )
        row.moved_at = timezone.now()
        row.save(force_insert=True)
        before = None
    else:
        before = row.current if promotion.change == Change.SERVE else getattr(row, promotion.change)
    _move(row, MOVES[Change(promotion.change)], version, before=before, promotion=promotion)
    if promotion.change == Change.SERVE:
        row.current = version
        if row.canary == version:  # it has proven itself
            row.canary, row.canary_share = None, 0.0
    else:
        setattr(row, promotion.change, version)
        setattr(row, f"{promotion.change}_share", promotion.share)
    row.save()
    return row


def _move(
    row: Alias,
    move: Move,
    after: AdapterVersion | None,
    *,
    before: AdapterVersion | None = None,
    reason: str = "",
    promotion: Promotion | None = None,
) -> None:
    if move == Move.ROLL_BACK:
        before = row.current
    row.generation, row.moved_at = row.generation + 1, timezone.now()
    told = {"before": before.reference if before else "", "after": after.reference if after else ""}
    share = promotion.share if promotion else 1.0
    AliasMove.objects.create(
        organisation_id=row.organisation_id, alias=row, generation=row.generation, move=move, version=after,
        share=share, promotion=promotion, moved_by=name_of(), reason=reason or (promotion and promotion.reason) or "",
        **told,
    )  # fmt: skip
    audit_record(
        organisation=row.organisation_id,
        action=f"alias.{move}",
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
    for move in moves.order_by("generation"):
        if move.move == Move.ROLL_BACK and move.version in served:
            del served[served.index(move.version) + 1 :]
        else:
            served.append(move.version)
    for version in reversed(served[:-1]):
        if version and version != row.current and not unfit(version):
            return version
    raise Conflict(f"{row.name} has served no other version that can still be served")


def _servable(reference: Reference) -> AdapterVersion:
    version = version_named(reference, "version")
    if why := unfit(version):
        raise Conflict(f"version: {version.reference} {why}")
    return version


def _check_use(alias: str, version: AdapterVersion, change: str) -> None:
    """Raise unless the alias may take the version."""
    row = Alias.objects.select_related("current").filter(name=alias).first()
    if row is None:
        if change != Change.SERVE:
            raise Conflict(f"{alias} serves nothing yet: its first version has to be served to everybody")
        return
    if row.current.task != version.task:
        raise InvalidInput.field(
            "version", f"{version.reference} is an adapter for {version.task}, {alias} for {row.current.task}"
        )
    if version in (row.current, getattr(row, change, None)):
        raise Conflict(f"{alias} has {version.reference} there already")


def _check_evaluated(version: AdapterVersion, because: str, without: bool) -> None:
    if version.evaluations.exists():
        return
    if not without:
        told = "evaluate it, or say without_evaluation and why"
        raise Conflict(f"{version.reference} was never evaluated on a frozen test set: {told}")
    if not because.strip():
        raise InvalidInput.field("because", "say why it may be served without an evaluation")


def _check_alias(alias: str) -> None:
    if not ALIAS.fullmatch(alias):
        raise InvalidInput.field("alias", "must look like support-tone:production")


def _check_change(change: str, share: float) -> None:
    if change not in Change.values:
        raise InvalidInput.field("change", f"must be one of {', '.join(Change.values)}")
    if change != Change.SERVE and not 0.0 < share < 1.0:
        raise InvalidInput.field("share", "must be more than 0 and less than 1")


def reason_given(text: str) -> str:
    """The reason that somebody gave. Raises InvalidInput without one."""
    stripped = text.strip()
    if not stripped or len(stripped) > REASON_LIMIT:
        raise InvalidInput.field("reason", f"say why, in at most {REASON_LIMIT} characters")
    return stripped


def _insert(promotion: Promotion) -> None:
    try:
        with transaction.atomic():
            promotion.save(force_insert=True)
    except IntegrityError:
        raise Conflict(
            f"there is an open request for {promotion.alias} already; decide on it first"
        ) from None


def _open(promotion_id: UUID) -> Promotion:
    rows = Promotion.objects.select_for_update(of=("self",)).select_related("version__base")
    promotion = rows.filter(pk=promotion_id).first()
    if promotion is None:
        raise NotFound("no such promotion")
    if promotion.state != Promotion.State.OPEN:
        raise Conflict(f"the promotion is {promotion.state} already")
    return promotion


def _decide(promotion: Promotion, state: str, because: str) -> None:
    promotion.state, promotion.because = state, because.strip()[:REASON_LIMIT]
    promotion.decided_by, promotion.decided_at = name_of(), timezone.now()
    promotion.save(update_fields=["state", "because", "decided_by", "decided_at"])


def _tell(promotion: Promotion, done: str) -> None:
    """Into the trail, and to whoever subscribed."""
    data: dict[str, Any] = {"alias": promotion.alias, "adapter": promotion.version.reference}
    audit_record(
        organisation=promotion.organisation_id,
        action=f"promotion.{done}",
        object_type="promotion",
        object_id=promotion.pk,
        data=data | {"change": promotion.change, "share": promotion.share},
    )
    event_emit(
        organisation=promotion.organisation_id,
        type=f"promotion.{done}",
        data=data | {"promotion": str(promotion.pk)},
    )
