"""Promotions: what was asked for an alias, and the second person's word on it."""

from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.tenancy import tenant
from rootstock.console.tables import table_page
from rootstock.registry import alias_selectors, aliases
from rootstock.registry.models import AdapterVersion, Alias, Promotion
from rootstock.registry.pages.board import waiting_of
from rootstock.registry.pages.common import ASK, DECIDE, READ, acted, rights
from rootstock.registry.pages.history import newest_first, promotion_happenings
from rootstock.registry.pages.measures import comparisons
from rootstock.registry.pages.tables import PROMOTIONS
from rootstock.registry.pages.words import asked, promotion_pill, told_apart
from rootstock.registry.persons import Names
from rootstock.registry.version_selectors import evaluations_of


@require_GET
@tenant_page(READ)
def promotion_list(request: PageRequest) -> HttpResponseBase:
    """All of them, the newest first."""
    found = Promotion.objects.select_related("version")
    context = {"tab": "promotions", **rights(request)}
    return table_page(request, PROMOTIONS, found, "registry/promotions.html", context)


@require_GET
@tenant_page(READ)
def promotion_page(request: PageRequest, promotion_id: UUID) -> HttpResponse:
    """One of them: what would change, and how the two versions compare."""
    organisation = request.organisation
    found = alias_selectors.promotion_get(organisation=organisation, promotion_id=promotion_id)
    with tenant(organisation):
        waiting = waiting_of(request, [found] if found.state == Promotion.State.OPEN else [])
        rows = Alias.objects.select_related("current__base")
        alias = rows.filter(name=found.alias).first()
    names = Names(organisation, [found.requested_by, found.decided_by])
    against = alias.current if alias and alias.current_id != found.version_id else None
    context = {
        "tab": "promotions",
        "promotion": found,
        "title": asked(found),
        "pill": promotion_pill(found),
        "waiting": waiting,
        "alias": alias,
        "against": against,
        "names": told_apart(found.version, against),
        "comparisons": _measured(request, found.version, against),
        "history": newest_first(promotion_happenings(found, names)),
        **rights(request),
    }
    return render(request, "registry/promotion.html", context)


def _measured(request: PageRequest, version: AdapterVersion, against: AdapterVersion | None) -> object:
    own = evaluations_of(organisation=request.organisation, version=version)
    theirs = evaluations_of(organisation=request.organisation, version=against) if against else []
    return comparisons(own, theirs)


@require_POST
@tenant_page(DECIDE)
def approve(request: PageRequest, promotion_id: UUID) -> HttpResponse:
    """Agree: the alias moves."""
    found = alias_selectors.promotion_get(organisation=request.organisation, promotion_id=promotion_id)
    because, without = request.POST.get("reason", ""), request.POST.get("without_evaluation") == "1"
    return acted(
        request,
        lambda: aliases.promotion_approve(
            organisation=request.organisation,
            promotion_id=promotion_id,
            because=because,
            without_evaluation=without,
        ),
        f"Approved: {asked(found)}, from now on.",
        "promotion",
        promotion_id,
    )


@require_POST
@tenant_page(ASK)
def refuse(request: PageRequest, promotion_id: UUID) -> HttpResponse:
    """Do not agree, or take back what one asked for."""
    found = alias_selectors.promotion_get(organisation=request.organisation, promotion_id=promotion_id)
    because = request.POST.get("reason", "")
    return acted(
        request,
        lambda: aliases.promotion_refuse(
            organisation=request.organisation, promotion_id=promotion_id, because=because
        ),
        f"{found.alias} stays as it is.",
        "promotion",
        promotion_id,
    )
