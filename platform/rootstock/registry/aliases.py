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
from rootstock.registry.models import AdapterVersion, Alias, Change, Move, Promotion
from rootstock.registry.moving import alias_locked, move, promoted, served_before, with_versions
from rootstock.registry.selectors import Reference, version_named
from rootstock.webhooks.services import event_emit

ALIAS = re.compile(r"[a-z0-9][a-z0-9-]{1,62}:[a-z][a-z0-9-]{1,19}")
REASON_LIMIT = 300
LEAST_SHARE = 0.001


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
        _check_use(alias, version, change, share)
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
        _check_use(promotion.alias, version, promotion.change, promotion.share)
        _check_evaluated(version, because, without_evaluation)
        _decide(promotion, Promotion.State.APPROVED, reason_given(because, "because") if because else "")
        alias = with_versions(promoted(promotion))
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


def alias_roll_back(
    *, organisation: Organisation, alias: str, reason: str, generation: int | None = None
) -> Alias:
    """Back to what the alias served before, at once and by one person; a canary and a shadow end with it.

    What it goes back to was agreed on by two. Raises Conflict when there is nothing to go back to, and when the alias
    has moved since the `generation` that whoever asks has seen: two who roll back at once go back one version.
    """
    with tenant(organisation):
        row = alias_locked(alias)
        if generation not in (None, row.generation):
            raise Conflict(
                f"generation: {alias} has moved meanwhile ({row.generation}, not {generation}): look again"
            )
        before = served_before(row)
        move(row, Move.ROLL_BACK, before, reason=reason_given(reason))
        row.current, row.canary, row.shadow = before, None, None
        row.canary_share = row.shadow_share = 0.0
        row.save()
        event_emit(
            organisation=organisation,
            type="alias.rolled_back",
            data={"alias": alias, "adapter": before.reference},
        )
        with_versions(row)
    return row


def alias_end(*, organisation: Organisation, alias: str, what: str, reason: str) -> Alias:
    """End the alias's canary or shadow; everybody gets what it serves. One person may."""
    if what not in (Change.CANARY, Change.SHADOW):
        raise InvalidInput.field("what", "must be canary or shadow")
    with tenant(organisation):
        row = alias_locked(alias)
        if getattr(row, what) is None:
            raise Conflict(f"{alias} has no {what}")
        move(row, Move(f"end_{what}"), None, before=getattr(row, what), reason=reason_given(reason))
        setattr(row, what, None)
        setattr(row, f"{what}_share", 0.0)
        row.save()
        with_versions(row)
    return row


def _servable(reference: Reference) -> AdapterVersion:
    version = version_named(reference, "version")
    if why := unfit(version):
        raise Conflict(f"version: {version.reference} {why}")
    return version


def _check_use(alias: str, version: AdapterVersion, change: str, share: float) -> None:
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
    has_it = change != Change.SERVE and version == getattr(row, change)
    if version == row.current or (has_it and share == getattr(row, f"{change}_share")):
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
    if change != Change.SERVE and not LEAST_SHARE <= share < 1.0:
        raise InvalidInput.field("share", f"must be at least {LEAST_SHARE} and less than 1")


def reason_given(text: str, field: str = "reason") -> str:
    """The reason that somebody gave. Raises InvalidInput naming `field` without one."""
    stripped = text.strip()
    if not stripped or len(stripped) > REASON_LIMIT:
        raise InvalidInput.field(field, f"say why, in at most {REASON_LIMIT} characters")
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
    promotion.state, promotion.because = state, because
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
