"""Two versions side by side."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.registry.models import AdapterVersion
from rootstock.registry.pages.common import READ, rights
from rootstock.registry.pages.forms import CompareForm
from rootstock.registry.pages.measures import comparisons
from rootstock.registry.pages.words import told_apart
from rootstock.registry.version_selectors import evaluations_of, version_get, versions_to_choose


@require_GET
@tenant_page(READ)
def compare(request: PageRequest) -> HttpResponse:
    """Figures, cards and answers of the two that the address names."""
    choices = versions_to_choose(organisation=request.organisation)
    asked = bool(request.GET.get("one") and request.GET.get("other"))
    form = CompareForm(
        request.GET if asked else None, initial=request.GET.dict(), versions=choices, auto_id="compare-%s"
    )
    context = {"form": form, "enough": len(choices) > 1, **rights(request)}
    if asked and form.is_valid():
        context |= _side_by_side(request, form)
    return render(request, "registry/compare.html", context, status=422 if form.errors else 200)


def _side_by_side(request: PageRequest, form: CompareForm) -> dict[str, Any]:
    organisation = request.organisation
    one, other = (
        version_get(organisation=organisation, version_id=form.cleaned_data[name])
        for name in ("one", "other")
    )
    measured = [evaluations_of(organisation=organisation, version=version) for version in (one, other)]
    return {
        "one": one, "other": other, "names": told_apart(one, other), "comparisons": comparisons(*measured),
        "one_card": _facts(one), "other_card": _facts(other),
    }  # fmt: skip


def _facts(version: AdapterVersion) -> dict[str, Any]:
    """What can differ between two versions, beside their weights."""
    dataset = version.dataset
    return {
        "base": version.base.name,
        "origin": version.origin,
        "bytes": version.bytes,
        "parent": version.parent.reference if version.parent else None,
        "trained on": f"{dataset.name}, {dataset.sha256[:12]}" if dataset else None,
        **version.card,
    }
