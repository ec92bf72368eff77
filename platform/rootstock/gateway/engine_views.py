"""Pages: what the engines do now."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.console.selectors import adapters_told, resident_adapters
from rootstock.console.tables import of_rows
from rootstock.gateway.engine import ADAPTERS, EngineTold, adapter_rows, engine_charts, engine_tiles
from rootstock.lanes.health import WorkerHealth, snapshot
from rootstock.registry.models import AdapterVersion
from rootstock.registry.selectors import own_versions


@require_GET
@tenant_page("adapters:read")
def engine_page(request: PageRequest) -> HttpResponse:
    """Batches, queue, latencies, memory and adapters of every engine."""
    return render(request, "gateway/engine.html", _context(request))


@require_GET
@tenant_page("adapters:read")
def engine_live(request: PageRequest) -> HttpResponse:
    """The part of the page that renews itself."""
    return render(request, "gateway/engine_live.html", _context(request))


def _context(request: PageRequest) -> dict[str, Any]:
    health = snapshot()
    own = own_versions(organisation=request.organisation, digests=resident_adapters(health))
    having = [worker for worker in health.workers if worker.engine]
    engines = [_engine(request, number, worker, own) for number, worker in enumerate(having)]
    return {"health": health, "engines": engines}


def _engine(
    request: PageRequest, number: int, worker: WorkerHealth, own: Mapping[str, AdapterVersion]
) -> dict[str, Any]:
    told = EngineTold(**(worker.engine or {}))
    return {
        "worker": worker,
        "told": told,
        "tiles": engine_tiles(told),
        "charts": engine_charts(f"engine-{number}", told),
        "adapters": of_rows(
            request, replace(ADAPTERS, prefix=f"{number}-"), adapter_rows(worker.adapters, own)
        ),
        "others": adapters_told(worker, own)[1],
    }
