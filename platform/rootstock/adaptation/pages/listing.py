"""The list of trainings, and starting one."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.adaptation import selectors, services
from rootstock.adaptation.estimates import span_words, training_estimate, training_warnings
from rootstock.adaptation.forms import TrainForm, filled
from rootstock.adaptation.presets import PRESETS
from rootstock.adaptation.tables import trainings_table
from rootstock.console.forms import saved
from rootstock.console.tables import table_page
from rootstock.errors import DomainError, NotFound
from rootstock.registry.datasets.uses import ROLES
from rootstock.registry.pages.common import ASK, READ, rights


@require_GET
@tenant_page(READ)
def trainings(request: PageRequest) -> HttpResponseBase:
    """The organisation's trainings, the newest first."""
    datasets = selectors.datasets_to_train_on(organisation=request.organisation)
    table = trainings_table(datasets, reverse("trainings-chosen"))
    context = {"tab": "trainings", **rights(request)}
    return table_page(request, table, selectors.trainings(), "adaptation/list.html", context)


@require_http_methods(["GET", "POST"])
@tenant_page(ASK)
def start(request: PageRequest) -> HttpResponse:
    """Choose data and settings, and start. A preset fills the settings in; `?from=` takes those of an earlier run."""
    offered = _offered(request)
    preset = request.POST.get("preset", "")
    if preset in PRESETS:
        form = TrainForm(initial=filled(request.POST.dict(), preset), **offered)
        return _form(request, form, preset)
    form = TrainForm(request.POST or None, initial=_initial(request), **offered)
    job = saved(
        form,
        lambda: services.adapter_train(
            organisation=request.organisation,
            name=form.cleaned_data["name"],
            sources=form.sources,
            settings=form.settings,
            created_by=request.user,
        ),
    )
    if job:
        messages.success(request, "It waits for the trainer; its curve appears below as it learns.")
        return redirect("training", job.pk)
    return _form(request, form)


@require_POST
@tenant_page(ASK)
def estimated(request: PageRequest) -> HttpResponse:
    """What the training would take that the form describes so far."""
    form = TrainForm(request.POST, **_offered(request))
    form.is_valid()
    found, problem, warned = None, "", []
    known = not set(form.errors) - {"name"}
    if known:
        try:
            found = training_estimate(
                organisation=request.organisation, sources=form.sources, settings=form.settings
            )
            warned = training_warnings(organisation=request.organisation, sources=form.sources)
        except DomainError as error:
            problem = error.detail
    span = span_words(found) if found else ""
    context = {"known": known, "found": found, "span": span, "problem": problem, "warned": warned}
    return render(request, "adaptation/estimate.html", context)


def _offered(request: PageRequest) -> dict[str, Any]:
    """What the form's choices offer."""
    return {
        "datasets": selectors.datasets_to_train_on(organisation=request.organisation),
        "versions": selectors.versions_to_go_on_from(organisation=request.organisation),
    }


def _form(request: PageRequest, form: TrainForm, preset: str = "") -> HttpResponse:
    context = {"form": form, "presets": PRESETS.items(), "preset": preset}
    return render(request, "adaptation/new.html", context, status=422 if form.errors else 200)


def _initial(request: PageRequest) -> dict[str, Any]:
    """What the form begins with: a data set that the address names, or an earlier run."""
    given = request.GET.get("from", "")
    if not given:
        return {"dataset_id": request.GET.get("dataset", "")}
    try:
        params = selectors.training_get(organisation=request.organisation, job_id=UUID(given)).params
    except ValueError:
        raise NotFound("no such training") from None
    data = {f"{role}_id": params.get(role) for role in ROLES}
    return {"name": params["name"], **data, "start_from": params.get("start_from"), **params["settings"]}
