"""One version: its card, where it came from and serves, how it was measured, what was decided about it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.tenancy import tenant
from rootstock.console.charts import Chart
from rootstock.console.forms import saved
from rootstock.jobs.pages import CHART_POINTS, loss_chart
from rootstock.jobs.selectors import job_curve
from rootstock.lanes.health import snapshot
from rootstock.registry import aliases, keeping, versions
from rootstock.registry.approvals import approvals_of
from rootstock.registry.evaluation import evaluation_start
from rootstock.registry.models import AdapterVersion, Alias, Promotion
from rootstock.registry.pages.common import ASK, DECIDE, READ, acted, rights
from rootstock.registry.pages.forms import CardForm, EvaluateForm, KeepForm, ProposalForm
from rootstock.registry.pages.history import version_history
from rootstock.registry.pages.measures import comparisons
from rootstock.registry.pages.residency import seats_html, seats_of
from rootstock.registry.pages.words import (
    figures_words,
    keep_words,
    place_pill,
    state_pill,
    task_words,
    told_apart,
)
from rootstock.registry.persons import Names
from rootstock.registry.version_selectors import (
    PRODUCTION,
    children_of,
    evaluations_of,
    grants_of,
    in_production,
    moves_of,
    places_of,
    promotions_of,
    test_sets_for,
    upload_of,
    version_get,
)

MOST_ALIASES = 200


def _version(request: PageRequest, version_id: UUID) -> AdapterVersion:
    return version_get(organisation=request.organisation, version_id=version_id)


@require_GET
@tenant_page(READ)
def version_page(request: PageRequest, version_id: UUID) -> HttpResponse:
    """Everything about it."""
    version, organisation = _version(request, version_id), request.organisation
    promotions = promotions_of(organisation=organisation, version=version)
    moves = moves_of(organisation=organisation, version=version)
    with tenant(organisation):
        places = places_of({version.pk}).get(version.pk, [])
    context = {
        "version": version,
        "task": task_words(version),
        "pill": state_pill(version, places),
        "places": [place_pill(place) for place in places],
        "open": [one for one in promotions if one.state == Promotion.State.OPEN],
        "resident": seats_html(seats_of(snapshot()).get(version.digest, [])),
        "kept": keep_words(version),
        "keep_form": KeepForm(initial={"keep": version.keep}),
        "upload": upload_of(organisation=organisation, version=version),
        "grants": grants_of(organisation=organisation, version=version),
        "children": children_of(organisation=organisation, version=version),
        "chart": _curve(version),
        "history": version_history(organisation, version, promotions, moves),
        "approval": approvals_of(organisation=organisation, versions=[version]).get(version.pk),
        **_people(request, version),
        **_measured(request, version),
        **rights(request),
    }
    return render(request, "registry/version.html", context)


def _people(request: PageRequest, version: AdapterVersion) -> dict[str, Any]:
    """Who made it, and who retired it."""
    names = Names(request.organisation, [version.created_by, version.retired_by])
    return {"made_by": names.of(version.created_by), "retired_by": names.of(version.retired_by)}


def _measured(request: PageRequest, version: AdapterVersion) -> dict[str, Any]:
    """Its figures beside those of the version that serves where it would."""
    own = evaluations_of(organisation=request.organisation, version=version)
    production = in_production(organisation=request.organisation, version=version)
    theirs = evaluations_of(organisation=request.organisation, version=production) if production else []
    found = [one for one in comparisons(own, theirs) if one.one]
    test_sets = test_sets_for(organisation=request.organisation, version=version)
    return {
        "evaluations": [(one, figures_words(one.metrics)) for one in own],
        "told_metrics": [*(version.card.get("metrics") or {}).items()],
        "comparisons": found, "production": production,
        "production_name": told_apart(version, production)[1],
        "evaluate_form": EvaluateForm(test_sets=test_sets) if test_sets else None,
    }  # fmt: skip


def _curve(version: AdapterVersion) -> Chart | None:
    """The loss of the training that made it."""
    if version.job is None:
        return None
    return loss_chart(job_curve(job=version.job, points=CHART_POINTS))


@require_POST
@tenant_page(ASK)
def keep(request: PageRequest, version_id: UUID) -> HttpResponse:
    """Say where workers keep it."""
    _version(request, version_id)
    return acted(
        request,
        lambda: keeping.version_keep(
            organisation=request.organisation, reference=version_id, keep=request.POST.get("keep", "")
        ),
        "Workers follow within seconds.",
        "adapter",
        version_id,
    )


@require_http_methods(["GET", "POST"])
@tenant_page(ASK)
def describe(request: PageRequest, version_id: UUID) -> HttpResponse:
    """Say what it is for, and where it should not be used."""
    version = _version(request, version_id)
    told = {"purpose": version.card.get("description", ""), **version.card}
    form = CardForm(request.POST or None, initial=told)
    if saved(
        form,
        lambda: versions.version_describe(
            organisation=request.organisation, reference=version_id, **form.cleaned_data
        ),
    ):
        messages.success(request, "The card says so now.")
        return redirect("adapter", version_id)
    return render(request, "registry/describe.html", {"version": version, "form": form})


@require_POST
@tenant_page(ASK)
def evaluate(request: PageRequest, version_id: UUID) -> HttpResponse:
    """Have it measured on a frozen test set."""
    _version(request, version_id)
    form = EvaluateForm(request.POST, test_sets=[])
    made = saved(
        form,
        lambda: evaluation_start(
            organisation=request.organisation,
            reference=version_id,
            created_by=request.user,
            **form.cleaned_data,
        ),
    )
    if made:
        messages.success(request, "The evaluation waits for a worker; its figures appear below when it ends.")
    else:
        told = "; ".join(str(text) for errors in form.errors.values() for text in errors)
        messages.error(request, f"It was not started: {told}")
    return redirect("adapter", version_id)


@require_POST
@tenant_page(DECIDE)
def retire(request: PageRequest, version_id: UUID) -> HttpResponse:
    """Serve it no longer."""
    _version(request, version_id)
    reason = request.POST.get("reason", "")
    return acted(
        request,
        lambda: versions.version_retire(
            organisation=request.organisation, reference=version_id, reason=reason
        ),
        "It is retired: nothing serves it, and workers give its memory free.",
        "adapter",
        version_id,
    )


@require_POST
@tenant_page(DECIDE)
def restore(request: PageRequest, version_id: UUID) -> HttpResponse:
    """Let it be served again."""
    _version(request, version_id)
    reason = request.POST.get("reason", "")
    return acted(
        request,
        lambda: versions.version_restore(
            organisation=request.organisation,
            reference=version_id,
            reason=aliases.reason_given(reason),
        ),
        "It can be served again.",
        "adapter",
        version_id,
    )


@require_http_methods(["GET", "POST"])
@tenant_page(ASK)
def propose(request: PageRequest, version_id: UUID) -> HttpResponse:
    """Ask that an alias serves it."""
    version = _version(request, version_id)
    initial = {"alias": f"{version.name}:{PRODUCTION}", "change": "serve", "share": 10}
    form = ProposalForm(request.POST or None, initial=initial)
    made = saved(
        form,
        lambda: aliases.promotion_request(
            organisation=request.organisation, reference=version_id, **form.fields_given()
        ),
    )
    if made:
        messages.success(
            request, "It is asked for. Somebody else has to agree; workers warm the version meanwhile."
        )
        return redirect("promotion", made.pk)
    with tenant(request.organisation):
        known = list(Alias.objects.order_by("name").values_list("name", flat=True)[:MOST_ALIASES])
    context = {"version": version, "form": form, "known": known}
    return render(request, "registry/propose.html", context, status=422 if form.errors else 200)
