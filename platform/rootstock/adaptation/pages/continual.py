"""Continual adaptation: plans, one of them with its runs, and a run with its forgetting report."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.adaptation.continual import plans, runs, selectors
from rootstock.adaptation.continual.forms import PlanForm, shown
from rootstock.adaptation.continual.models import ContinualPlan
from rootstock.adaptation.continual.tables import PLANS, RUNS
from rootstock.adaptation.continual.words import report_chart, report_of, run_pill, times_words
from rootstock.adaptation.words import settings_told
from rootstock.console.forms import saved
from rootstock.console.tables import embedded, part_or_none, table_page
from rootstock.errors import Conflict, FieldProblem, InvalidInput
from rootstock.registry.pages.common import ASK, READ, acted, rights
from rootstock.registry.persons import Names

T = TypeVar("T")


@require_GET
@tenant_page(READ)
def plan_list(request: PageRequest) -> HttpResponseBase:
    """Every plan of the organisation."""
    context = {"tab": "continual", **rights(request)}
    return table_page(request, PLANS, selectors.plans(), "adaptation/continual/list.html", context)


@require_http_methods(["GET", "POST"])
@tenant_page(ASK)
def plan_new(request: PageRequest) -> HttpResponse:
    """Set one up."""
    form = PlanForm(
        request.POST or None, initial={"alias": request.GET.get("alias", "")}, **_offered(request)
    )
    made = saved(
        form,
        lambda: _by_field(
            lambda: plans.plan_create(
                organisation=request.organisation, alias=form.cleaned_data["alias"], **form.wanted()
            )
        ),
    )
    if made:
        messages.success(request, "The plan is set up.")
        return redirect("continual-plan", made.pk)
    return _form(request, form)


@require_http_methods(["GET", "POST"])
@tenant_page(ASK)
def plan_edit(request: PageRequest, plan_id: UUID) -> HttpResponse:
    """Change one."""
    plan = _plan(request, plan_id)
    form = PlanForm(request.POST or None, initial=shown(plan), **_offered(request, plan))
    form.fields["alias"].disabled = True
    changed = saved(
        form,
        lambda: _by_field(
            lambda: plans.plan_update(
                organisation=request.organisation,
                plan_id=plan_id,
                version=form.cleaned_data["version"],
                **form.wanted(),
            )
        ),
    )
    if changed:
        messages.success(request, "The plan is changed. From now on it proposes in your name.")
        return redirect("continual-plan", plan_id)
    return _form(request, form, plan)


def _offered(request: PageRequest, plan: ContinualPlan | None = None) -> dict[str, Any]:
    given = {"organisation": request.organisation}
    collections = selectors.collections(**given)
    now = [(plan.collection, plan.task)] if plan else []
    return {
        "aliases": selectors.aliases_to_choose(**given, of=plan),
        "collections": [*(one for one in now if one not in collections), *collections],
        "test_sets": selectors.test_sets(**given),
    }  # fmt: skip


def _by_field(save: Callable[[], T]) -> T:
    """What is refused of the settings stands beside their fields, which have no prefix on the form."""
    try:
        return save()
    except InvalidInput as error:
        told = [FieldProblem(one.field.removeprefix("settings."), one.reason) for one in error.errors]
        raise InvalidInput(error.detail, errors=told) from None


def _form(request: PageRequest, form: PlanForm, plan: ContinualPlan | None = None) -> HttpResponse:
    context = {"form": form, "plan": plan}
    return render(request, "adaptation/continual/form.html", context, status=422 if form.errors else 200)


@require_GET
@tenant_page(READ)
def plan_page(request: PageRequest, plan_id: UUID) -> HttpResponseBase:
    """What it says, and its runs."""
    plan = _plan(request, plan_id)
    found = selectors.runs(plan_id)
    table = embedded(request, RUNS, found)
    said = plan.said
    measured = selectors.datasets_of(
        organisation=request.organisation, ids=[str(one) for one in said.measured_on]
    )
    context = {
        "plan": plan, "said": said, "times": times_words(plan), "table": table,
        "test_set": next((one for one in measured if one.pk == said.test_set), None),
        "guards": [one for one in measured if one.pk != said.test_set],
        "made_by": Names(request.organisation, [plan.made_by]).of(plan.made_by),
        "settings": settings_told(said.settings.model_dump(mode="json")), **rights(request),
    }  # fmt: skip
    return part_or_none(request, table, found) or render(request, "adaptation/continual/plan.html", context)


@require_GET
@tenant_page(READ)
def run_page(request: PageRequest, run_id: UUID) -> HttpResponse:
    """What it learned from, how far it has come, and what was forgotten."""
    run = selectors.run_get(organisation=request.organisation, run_id=run_id)
    report = report_of(run)
    context = {
        "run": run, "pill": run_pill(run.state), "report": report, "chart": report_chart(report),
        "fresh": selectors.datasets_of(organisation=request.organisation, ids=run.fresh), **rights(request),
    }  # fmt: skip
    part = "run_part" if request.headers.get("HX-Request") else "run"
    return render(request, f"adaptation/continual/{part}.html", context)


@require_POST
@tenant_page(ASK)
def run_now(request: PageRequest, plan_id: UUID) -> HttpResponse:
    """Begin a run, and go to its page."""
    try:
        run = runs.run_start(organisation=request.organisation, plan_id=plan_id)
    except Conflict as error:
        messages.error(request, f"No run began: {error.detail}.")
        return redirect("continual-plan", plan_id)
    return redirect("continual-run", run.pk)


@require_POST
@tenant_page(ASK)
def plan_pause(request: PageRequest, plan_id: UUID) -> HttpResponse:
    """Pause it, or go on."""
    paused = request.POST.get("paused") == "1"
    return acted(
        request,
        lambda: plans.plan_pause(organisation=request.organisation, plan_id=plan_id, paused=paused),
        "Paused. A run that goes on is not stopped." if paused else "It goes on.",
        "continual-plan",
        plan_id,
    )


@require_POST
@tenant_page(ASK)
def plan_delete(request: PageRequest, plan_id: UUID) -> HttpResponse:
    """Remove it."""
    alias = _plan(request, plan_id).alias.name
    try:
        plans.plan_delete(organisation=request.organisation, plan_id=plan_id)
    except Conflict as error:
        messages.error(request, f"Nothing was changed: {error.detail}.")
        return redirect("continual-plan", plan_id)
    messages.success(request, f"{alias} learns by the clock no more. What came of it stays.")
    return redirect("continual-plans")


def _plan(request: PageRequest, plan_id: UUID) -> ContinualPlan:
    return selectors.plan_get(organisation=request.organisation, plan_id=plan_id)
