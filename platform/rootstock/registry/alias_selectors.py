"""Reads of aliases and promotions."""

from uuid import UUID

from django.db.models import QuerySet

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound
from rootstock.paging import take_page
from rootstock.registry.models import Alias, AliasMove, Promotion


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
