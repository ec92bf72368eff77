"""Bases: those served and trained here, and what became of each training."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.console import selectors
from rootstock.console.tables import of_rows
from rootstock.lanes.health import snapshot
from rootstock.registry.models import TrainedBase
from rootstock.registry.pages.base_tables import BASES, lineage_of, state_words
from rootstock.registry.pages.common import READ, rights
from rootstock.registry.pages.shipped import SHIPPED, shipped_rows
from rootstock.registry.trained_bases import base_get, bases

# as they were measured: what is shown of each, and under which names its figures stand
MEASURED = (
    ("The base it was made from, as served", "original"),
    ("What was trained, unquantized", "trained"),
    ("The new base, as served", "requantized"),
)


@require_GET
@tenant_page(READ)
def base_models(request: PageRequest) -> HttpResponse:
    """Bases that are served or were trained here, and the adapters that come with Rootstock."""
    told = shipped_rows(selectors.shipped_adapters(snapshot()))
    rows = bases(organisation=request.organisation)
    context = {
        "tab": "bases", "bases": of_rows(request, BASES, rows), "shipped": of_rows(request, SHIPPED, told),
    }  # fmt: skip
    return render(request, "registry/bases.html", context | rights(request))


@require_GET
@tenant_page(READ)
def base_page(request: PageRequest, base_id: UUID) -> HttpResponse:
    """One base: where it comes from, how well it does, and how it is served."""
    base = base_get(organisation=request.organisation, base_id=base_id)
    lineage = lineage_of(base)
    context = {
        "tab": "bases", "base": base, "state": state_words(base), "lineage": lineage,
        "measured": _measured(lineage) if lineage else [],
    }  # fmt: skip
    return render(request, "registry/base_model.html", context | rights(request))


def _measured(lineage: TrainedBase) -> list[dict[str, Any]]:
    figures = lineage.metrics
    return [
        {"model": told, "loss": figures[f"{name}_loss"], "perplexity": figures[f"{name}_perplexity"]}
        for told, name in MEASURED
    ]
