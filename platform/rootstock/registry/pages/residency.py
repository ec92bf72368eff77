"""Where weights lie: every worker beside every adapter that the organisation may know by name."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.console.selectors import adapters_told, resident_adapters
from rootstock.console.templatetags.console import pill
from rootstock.gateway.engine import TIERS, AdapterRow, EngineTold, adapter_rows
from rootstock.lanes.health import Health, WorkerHealth, snapshot
from rootstock.registry.models import AdapterVersion, Keep
from rootstock.registry.pages.common import READ, rights
from rootstock.registry.selectors import own_versions

NEARLY_FULL = 0.9


@dataclass(slots=True, frozen=True)
class Seat:
    """An adapter in one worker."""

    worker: str
    row: AdapterRow


Seats = dict[str, list[Seat]]


def seats_of(health: Health) -> Seats:
    """Every adapter's places by its digest. Show none of it for one that is not the organisation's."""
    found: Seats = defaultdict(list)
    for worker in health.workers:
        for told in worker.adapters:
            found[str(told["adapter"])].append(Seat(worker.name, AdapterRow(**told)))
    return found


def seats_html(seats: list[Seat]) -> SafeString:
    """The best place that an adapter has, and in how many workers; who they are on hover."""
    if not seats:
        return pill("neutral", "On disk")
    order = list(TIERS)
    best = min((seat.row.tier for seat in seats), key=order.index)
    workers = ", ".join(seat.worker for seat in seats if seat.row.tier == best)
    count = workers.count(",") + 1
    told = f"{TIERS[best][1]} · {count} workers" if count > 1 else TIERS[best][1]
    return format_html('<span title="{}">{}</span>', workers, pill(TIERS[best][0], told))


@dataclass(slots=True, frozen=True)
class Column:
    """One worker of the map."""

    worker: WorkerHealth
    told: EngineTold
    others: int

    @property
    def share(self) -> float | None:
        """How much of the memory for adapters is taken; None where the worker does not tell."""
        return self.told.adapter_bytes / self.told.adapter_room if self.told.adapter_room else None

    @property
    def level(self) -> str:
        """What colours the bar."""
        return "medium" if (self.share or 0.0) >= NEARLY_FULL else "low"

    @property
    def memory(self) -> str:
        """The bar in words."""
        used = filesizeformat(self.told.adapter_bytes)
        return f"{used} of {filesizeformat(self.told.adapter_room)}" if self.told.adapter_room else used

    @property
    def taken(self) -> int:
        """Slots with an adapter in them."""
        return self.told.tiers.get("device", 0)


@dataclass(slots=True, frozen=True)
class Line:
    """One adapter of the map: its version where it is the organisation's own, and its place in each worker."""

    row: AdapterRow
    version_id: UUID | None
    keep: str
    cells: list[tuple[WorkerHealth, AdapterRow | None]]


@require_GET
@tenant_page(READ)
def residency(request: PageRequest) -> HttpResponse:
    """The map."""
    return render(request, "registry/residency.html", _context(request))


@require_GET
@tenant_page(READ)
def residency_live(request: PageRequest) -> HttpResponse:
    """The part of it that renews itself."""
    return render(request, "registry/residency_live.html", _context(request))


def _context(request: PageRequest) -> dict[str, Any]:
    health = snapshot()
    own = own_versions(organisation=request.organisation, digests=resident_adapters(health))
    workers = [worker for worker in health.workers if worker.engine]
    columns = [Column(one, EngineTold(**(one.engine or {})), adapters_told(one, own)[1]) for one in workers]
    return {"health": health, "columns": columns, "lines": _lines(workers, own), **rights(request)}


def _lines(workers: list[WorkerHealth], own: dict[str, AdapterVersion]) -> list[Line]:
    """Those in use and on a device first."""
    told = {one.name: {row.adapter: row for row in adapter_rows(one.adapters, own)} for one in workers}
    best: dict[str, AdapterRow] = {}
    order = list(TIERS)
    for rows in told.values():
        for name, row in rows.items():
            best[name] = min(best.get(name, row), row, key=lambda one: order.index(one.tier))
    names = sorted(best, key=lambda name: (order.index(best[name].tier), -best[name].hits, best[name].name))
    return [_line(best[name], own.get(name), workers, told) for name in names]


def _line(
    row: AdapterRow,
    version: AdapterVersion | None,
    workers: list[WorkerHealth],
    told: dict[str, dict[str, AdapterRow]],
) -> Line:
    cells = [(worker, told[worker.name].get(row.adapter)) for worker in workers]
    if version is None:
        return Line(row, None, "", cells)
    return Line(row, version.pk, Keep(version.keep).label if version.keep else "", cells)
