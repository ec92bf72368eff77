"""Pages: the rings of accounts that money went round in, one of them with its rounds, and a round's payments."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from apps.fraud.cycles import asking, selectors
from apps.fraud.cycles.models import PaymentCycle, PaymentRing
from apps.fraud.cycles.schemas import CycleSearchIn
from apps.fraud.cycles.tables import RINGS, ROUNDS, ring_title_of, risk_of, title_of
from apps.fraud.evidence import RING, SUBJECT
from apps.fraud.tables import level_of
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.views.common import scopes_of
from rootstock.audit.services import list_read_record, read_record
from rootstock.console.formats import span
from rootstock.console.tables import table_page
from rootstock.registry.pages.common import acted

READ, WRITE = "fraud:read", "fraud:write"


@require_GET
@tenant_page(READ)
def found(request: PageRequest) -> HttpResponseBase:
    """The rings, the last to have paid first, and how the last search went."""
    job = asking.last_search(organisation=request.organisation)
    scopes = scopes_of(request)
    context: dict[str, Any] = {
        "job": job,
        "searching": bool(job and not job.is_final),
        "may_ask": WRITE in scopes,
        "may_see_jobs": "jobs:read" in scopes,
    }
    if job and job.state == "succeeded" and job.result:
        context |= {"result": job.result, "cut": any(job.result["cut"].values())}
    return table_page(request, RINGS, PaymentRing.objects.all(), "fraud/cycles.html", context)


@require_POST
@tenant_page(WRITE)
def search(request: PageRequest) -> HttpResponse:
    """Search the last 30 days."""
    return acted(
        request,
        lambda: asking.search_start(
            organisation=request.organisation,
            wanted=CycleSearchIn.model_validate({}),
            created_by=request.user,
        ),
        "The search has begun. What it finds appears here when it has ended.",
        "fraud:cycles",
    )


@require_GET
@tenant_page(READ)
def ring(request: PageRequest, ring_id: UUID) -> HttpResponseBase:
    """One ring: its rounds, or with `all` every cycle that was found among its accounts."""
    row = selectors.ring_get(organisation=request.organisation, ring_id=ring_id)
    read_record(
        organisation=request.organisation, subject_type=RING, subject_id=row.pk, what="accounts of a ring"
    )
    every = "all" in request.GET
    found = PaymentCycle.objects.filter(ring=row.pk)
    context = {
        "ring": row,
        "title": ring_title_of(row),
        "risk": risk_of(row),
        "every": every,
        "more": row.cycles - row.rounds,
    }
    return table_page(
        request, ROUNDS, found if every else found.filter(round__isnull=False), "fraud/ring.html", context
    )


@require_GET
@tenant_page(READ)
def cycle(request: PageRequest, cycle_id: UUID) -> HttpResponse:
    """One cycle."""
    row, payments = selectors.cycle_get(organisation=request.organisation, cycle_id=cycle_id)
    list_read_record(
        organisation=request.organisation,
        subject_type=SUBJECT,
        subject_ids=[one.pk for one in payments],
        what="payments of a cycle",
    )
    decisions = [getattr(one, "decision", None) for one in payments]
    context = {
        "cycle": row,
        "title": title_of(row),
        "took": span(row.duration_s),
        "rows": [
            {"payment": one, "decision": its, "level": level_of(its.score, its.outcome) if its else ""}
            for one, its in zip(payments, decisions, strict=True)
        ],
        "may_see_jobs": "jobs:read" in scopes_of(request),
    }
    return render(request, "fraud/cycle.html", context)
