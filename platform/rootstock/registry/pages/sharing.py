"""Versions that organisations let each other use: given from a version's page, taken from the list of offers."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.registry import grants
from rootstock.registry.pages.common import DECIDE, READ, acted, rights
from rootstock.registry.version_selectors import grant_get, offers_to, version_get


@require_GET
@tenant_page(READ)
def offers(request: PageRequest) -> HttpResponse:
    """What other organisations let this one use."""
    context = {"tab": "offers", "offers": offers_to(request.organisation), **rights(request)}
    return render(request, "registry/offers.html", context)


@require_POST
@tenant_page(DECIDE)
def take(request: PageRequest, grant_id: UUID) -> HttpResponse:
    """Register what was offered."""
    return acted(
        request,
        lambda: grants.grant_take(organisation=request.organisation, grant_id=grant_id),
        "It is yours to use: propose it for an alias as any other.",
        "adapters",
    )


@require_POST
@tenant_page(DECIDE)
def give(request: PageRequest, version_id: UUID) -> HttpResponse:
    """Let another organisation use a version."""
    version = version_get(organisation=request.organisation, version_id=version_id)
    to = request.POST.get("to", "").strip()
    return acted(
        request,
        lambda: grants.grant_create(organisation=request.organisation, reference=version.pk, to=to),
        f"{to} may use it now.",
        "adapter",
        version_id,
    )


@require_POST
@tenant_page(DECIDE)
def take_back(request: PageRequest, grant_id: UUID) -> HttpResponse:
    """Let the other organisation use it no longer."""
    found = grant_get(organisation=request.organisation, grant_id=grant_id)
    return acted(
        request,
        lambda: grants.grant_revoke(organisation=request.organisation, grant_id=grant_id),
        "It is taken back: the other organisation is not served it from now on.",
        "adapter",
        found.version_id,
    )
