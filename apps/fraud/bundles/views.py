"""The page of models: which scores, what was trained, how good it is, and who agrees."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from apps.fraud.bundles import asking, moving, versions
from apps.fraud.bundles.comparing import warning_of
from apps.fraud.bundles.models import ModelRequest, ModelVersion
from apps.fraud.bundles.moving import AGREEMENT
from apps.fraud.bundles.schemas import FraudTrainingIn
from apps.fraud.bundles.showing import charts_of, own_figures
from models_zoo.fraud.card import WEIGHTS, facts_of, read_card
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.views.common import scopes_of
from rootstock.privacy.persons import name_of, person_behind
from rootstock.registry.aliases import reason_given
from rootstock.registry.pages.common import acted
from rootstock.registry.persons import Names

READ, WRITE, DECIDE = "fraud:read", "fraud:write", "fraud:approve"
MOST = 50


@require_GET
@tenant_page(READ)
def models(request: PageRequest) -> HttpResponse:
    """All versions, the newest first, with the charts of the one that is asked for, else of the newest."""
    organisation = request.organisation
    rows, _ = versions.versions_page(organisation=organisation, limit=MOST)
    force = versions.in_force(organisation=organisation)
    chosen = _chosen(rows, request.GET.get("version", ""))
    card = chosen.card if chosen else facts_of(WEIGHTS)
    job = asking.last_training(organisation=organisation)
    scopes = scopes_of(request)
    context: dict[str, Any] = {
        "rows": [
            (row, own_figures(row.card), row.pk == force.current_id, warning_of(row.card)) for row in rows
        ],
        "force": force,
        "reference": force.current.reference if force.current else read_card().reference,
        "chosen": chosen,
        "card": card,
        "warning": warning_of(card) if chosen else "",
        "charts": charts_of(card),
        "job": job,
        "training": bool(job and not job.is_final),
        "failed": bool(job and job.state == "failed" and (not rows or job.pk > rows[0].pk)),
        "may_ask": WRITE in scopes,
        "may_decide": DECIDE in scopes,
        "may_see_jobs": "jobs:read" in scopes,
        **_waiting(request),
    }
    return render(request, "fraud/models.html", context)


def _chosen(rows: list[ModelVersion], number: str) -> ModelVersion | None:
    named = next((row for row in rows if str(row.number) == number), None)
    return named or (rows[0] if rows else None)


def _waiting(request: PageRequest) -> dict[str, Any]:
    """The open request, who asked, and whether the viewer did."""
    with tenant(request.organisation):
        rows = ModelRequest.objects.select_related("version")
        found = rows.filter(state=ModelRequest.State.OPEN).first()
        own = bool(found) and found is not None and found.person == person_behind(name_of())
        frauds = asking.frauds_labelled()
    names = Names(request.organisation, [found.requested_by] if found else [])
    return {
        "waiting": found,
        "waiting_warning": warning_of(found.version.card) if found else "",
        "own": own,
        "asked_by": names.of(found.requested_by) if found else "",
        "frauds": frauds,
        "needed": asking.LEAST_FRAUDS,
    }


def _acted(request: PageRequest, action: Callable[[], Any], done: str) -> HttpResponse:
    return acted(request, action, done, "fraud:models")


@require_POST
@tenant_page(WRITE)
def train(request: PageRequest) -> HttpResponse:
    """Start a training."""
    return _acted(
        request,
        lambda: asking.training_start(
            organisation=request.organisation,
            wanted=FraudTrainingIn(tune="tune" in request.POST),
            created_by=request.user,
        ),
        "The training has begun. Its result scores nothing before a second person agrees.",
    )


@require_POST
@tenant_page(WRITE)
def propose(request: PageRequest, number: int) -> HttpResponse:
    """Ask that a version scores."""
    return _acted(
        request,
        lambda: AGREEMENT.request_make(
            organisation=request.organisation,
            version=number,
            reason=reason_given(request.POST.get("reason", "")),
        ),
        f"Asked that model {number} scores. Somebody else has to agree.",
    )


@require_POST
@tenant_page(DECIDE)
def approve(request: PageRequest, request_id: UUID) -> HttpResponse:
    """Agree."""
    because = request.POST.get("reason", "")[:300]
    return _acted(
        request,
        lambda: AGREEMENT.request_approve(
            organisation=request.organisation, request_id=request_id, because=because
        ),
        "Approved: it scores within seconds.",
    )


@require_POST
@tenant_page(WRITE)
def refuse(request: PageRequest, request_id: UUID) -> HttpResponse:
    """Do not agree, or take back what one asked for."""
    return _acted(
        request,
        lambda: AGREEMENT.request_refuse(
            organisation=request.organisation,
            request_id=request_id,
            because=request.POST.get("reason", ""),
        ),
        "The model that scores stays as it is.",
    )


@require_POST
@tenant_page(DECIDE)
def roll_back(request: PageRequest) -> HttpResponse:
    """Back to what scored before."""
    generation = request.POST.get("generation", "")
    seen = int(generation) if generation.isascii() and generation.isdigit() and len(generation) < 10 else None
    return _acted(
        request,
        lambda: moving.roll_back(
            organisation=request.organisation,
            reason=reason_given(request.POST.get("reason", "")),
            generation=seen,
        ),
        "Rolled back: what scored before scores again within seconds.",
    )
