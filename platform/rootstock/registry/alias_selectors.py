"""Reads of aliases and promotions."""

from uuid import UUID

from django.db.models import QuerySet, Sum

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict, NotFound
from rootstock.paging import take_page
from rootstock.registry.models import AdapterVersion, Alias, AliasMove, Promotion, ShadowTally
from rootstock.registry.moving import served_before

MOST_OPEN = 100


def aliases_page(
    *, organisation: Organisation, cursor: str | None, limit: int
) -> tuple[list[Alias], str | None]:
    """A page of the organisation's aliases, the newest first."""
    with tenant(organisation):
        return take_page(_aliases(), cursor=cursor, limit=limit)


def alias_get(*, organisation: Organisation, name: str) -> Alias:
    """One alias."""
    with tenant(organisation):
        found = _aliases().filter(name=name).first()
    if found is None:
        raise NotFound(f"alias: your organisation has no alias {name[:84]!r}")
    return found


def alias_by_id(*, organisation: Organisation, alias_id: UUID) -> Alias:
    """One alias, as pages address it."""
    with tenant(organisation):
        found = _aliases().filter(pk=alias_id).first()
    if found is None:
        raise NotFound("no such alias")
    return found


def roll_back_target(alias: Alias) -> AdapterVersion | None:
    """What a roll-back of the alias would serve; None where there is nothing. Call it inside `tenant()`."""
    try:
        return served_before(alias)
    except Conflict:
        return None


def shadow_tally(alias: Alias) -> ShadowTally | None:
    """All comparisons of what the alias serves with its shadow, summed; None without any. Inside `tenant()`."""
    rows = ShadowTally.objects.filter(alias=alias, current=alias.current_id, shadow=alias.shadow_id)
    names = ("compared", "failed", "same", "agreement", "current_ms", "shadow_ms")
    sums = rows.aggregate(**{name: Sum(name) for name in names})
    return ShadowTally(**sums) if sums["compared"] or sums["failed"] else None


def open_promotions(alias: str = "") -> list[Promotion]:
    """Those that wait for a second person, of one alias or all, the oldest first. Call it inside `tenant()`."""
    rows = Promotion.objects.filter(state=Promotion.State.OPEN).select_related("version__base")
    return list((rows.filter(alias=alias) if alias else rows).order_by("pk")[:MOST_OPEN])


def moves_page(
    *, organisation: Organisation, name: str, cursor: str | None, limit: int
) -> tuple[list[AliasMove], str | None]:
    """A page of an alias's moves, the newest first."""
    alias = alias_get(organisation=organisation, name=name)
    with tenant(organisation):
        return take_page(AliasMove.objects.filter(alias=alias), cursor=cursor, limit=limit)


def promotions_page(
    *, organisation: Organisation, state: str, alias: str, cursor: str | None, limit: int
) -> tuple[list[Promotion], str | None]:
    """A page of promotions, the newest first; empty filters take all."""
    wanted = {name: value for name, value in (("state", state), ("alias", alias)) if value}
    with tenant(organisation):
        rows = Promotion.objects.select_related("version").filter(**wanted)
        return take_page(rows, cursor=cursor, limit=limit)


def promotion_get(*, organisation: Organisation, promotion_id: UUID) -> Promotion:
    """One promotion."""
    with tenant(organisation):
        found = Promotion.objects.select_related("version__base").filter(pk=promotion_id).first()
    if found is None:
        raise NotFound("no such promotion")
    return found


def _aliases() -> "QuerySet[Alias]":
    return Alias.objects.select_related("current", "canary", "shadow")
