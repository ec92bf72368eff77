"""The pages that start trainings: of an adapter, of a base."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.adaptation import base_services, selectors, services
from rootstock.adaptation.estimates import names_awaited, span_words, training_estimate, training_warnings
from rootstock.adaptation.forms import BaseForm, TrainForm, TrainingForm
from rootstock.console.forms import saved
from rootstock.errors import DomainError, NotFound
from rootstock.jobs.models import Job
from rootstock.registry.datasets import Estimate
from rootstock.registry.datasets.uses import ROLES
from rootstock.registry.pages.common import ASK
from rootstock.registry.trained_bases import trained_bases


@dataclass(slots=True, frozen=True)
class Startable:
    """Something to train: its form, what the form's choices offer, its services and its page."""

    form: type[TrainingForm]
    offered: Callable[[PageRequest], dict[str, Any]]
    begin: Callable[[PageRequest, Any], Job]
    estimate: Callable[[PageRequest, Any], Estimate | None]
    template: str


def _versions(request: PageRequest) -> dict[str, Any]:
    return {"versions": selectors.versions_to_go_on_from(organisation=request.organisation)}


def _adapter(request: PageRequest, form: TrainForm) -> Job:
    return services.adapter_train(
        organisation=request.organisation,
        name=form.cleaned_data["name"],
        sources=form.sources,
        settings=form.settings,
        created_by=request.user,
    )


def _adapter_estimate(request: PageRequest, form: TrainForm) -> Estimate | None:
    return training_estimate(organisation=request.organisation, sources=form.sources, settings=form.settings)


def _bases(request: PageRequest) -> dict[str, Any]:
    return {"bases": trained_bases(organisation=request.organisation)}


def _base(request: PageRequest, form: BaseForm) -> Job:
    return base_services.base_train(
        organisation=request.organisation,
        name=form.cleaned_data["name"],
        base=form.cleaned_data["base"],
        sources=form.sources,
        settings=form.settings,
        created_by=request.user,
    )


def _base_estimate(request: PageRequest, form: BaseForm) -> Estimate | None:
    return base_services.base_training_estimate(
        organisation=request.organisation,
        base=form.cleaned_data["base"],
        sources=form.sources,
        settings=form.settings,
    )


ADAPTER = Startable(TrainForm, _versions, _adapter, _adapter_estimate, "adaptation/new.html")
BASE = Startable(BaseForm, _bases, _base, _base_estimate, "adaptation/new_base.html")


@require_http_methods(["GET", "POST"])
@tenant_page(ASK)
def start(request: PageRequest, what: Startable) -> HttpResponse:
    """Choose data and settings, and start. A preset fills the settings in; `?from=` takes those of an earlier run."""
    preset, offered = request.POST.get("preset", ""), _offered(request, what)
    has_data = bool(offered["datasets"])
    if preset in what.form.presets:
        form = what.form(initial=what.form.filled(request.POST.dict(), preset), **offered)
        return _page(request, what, form, has_data, preset)
    form = what.form(request.POST or None, initial=_initial(request), **offered)
    job = saved(form, lambda: what.begin(request, form))
    if job:
        messages.success(request, "It waits for the trainer; its curve appears below as it learns.")
        return redirect("training", job.pk)
    return _page(request, what, form, has_data)


@require_POST
@tenant_page(ASK)
def estimated(request: PageRequest, what: Startable) -> HttpResponse:
    """What the training would take that the form describes so far."""
    form = what.form(request.POST, **_offered(request, what))
    form.is_valid()
    found, problem, warned, awaited = None, "", [], []
    known = not set(form.errors) - {"name"}
    if known:
        try:
            found = what.estimate(request, form)
            warned = training_warnings(organisation=request.organisation, sources=form.sources)
            awaited = names_awaited(organisation=request.organisation, sources=form.sources)
        except DomainError as error:
            problem = _sentence(form, error)
    span = span_words(found) if found else ""
    context = {
        "known": known, "found": found, "span": span, "problem": problem, "warned": warned, "awaited": awaited,
    }  # fmt: skip
    return render(request, "adaptation/estimate.html", context)


def _offered(request: PageRequest, what: Startable) -> dict[str, Any]:
    datasets = selectors.datasets_to_train_on(organisation=request.organisation)
    return {"datasets": datasets, **what.offered(request)}


def _sentence(form: TrainingForm, error: DomainError) -> str:
    """What is wrong, under the names that the form gives its fields."""
    told = [(form.fields.get(one.field), one) for one in error.errors]
    return (
        "; ".join(f"{field.label if field else one.field}: {one.reason}" for field, one in told)
        or error.detail
    )


def _page(
    request: PageRequest, what: Startable, form: TrainingForm, has_data: bool, preset: str = ""
) -> HttpResponse:
    context = {"form": form, "presets": form.presets.items(), "preset": preset, "has_data": has_data}
    return render(request, what.template, context, status=422 if form.errors else 200)


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
    origin = {name: params.get(name) for name in ("start_from", "base")}
    return {"name": params["name"], **data, **origin, **params["settings"]}
