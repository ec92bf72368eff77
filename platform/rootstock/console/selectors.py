"""What the home page reads."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.template.defaultfilters import filesizeformat
from django.utils.module_loading import import_string

from rootstock.accounts.models import Membership, Organisation
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.console import formats
from rootstock.console.needs import needs_of
from rootstock.console.pulse import Pulse, pulse
from rootstock.console.tiles import Tile
from rootstock.jobs.pages import JobPage
from rootstock.jobs.selectors import jobs_page
from rootstock.lanes.health import Health, WorkerHealth, snapshot
from rootstock.registry.models import AdapterVersion
from rootstock.registry.selectors import own_versions

HOLDINGS_S = 30
TONES = {"ok": "ok", "degraded": "warn", "down": "error"}


@dataclass(slots=True, frozen=True)
class LaneDepth:
    """One lane: how much waits, against its limit."""

    name: str
    group: str
    waiting: int
    limit: int
    served: bool
    per_second: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None

    @property
    def share(self) -> float:
        """How full the queue is, from 0 to 1."""
        return min(1.0, self.waiting / self.limit) if self.limit else 0.0


def health_text(health: Health) -> str:
    """The state of the worker side in a few words."""
    if not health.reachable:
        return "Queue unreachable"
    if not health.workers:
        return "No worker"
    for what, unserved in (("lane", health.missing), ("queue", health.unserved)):
        if unserved:
            return f"{len(unserved)} {what}{'s' * (len(unserved) > 1)} unserved"
    return f"{health.up} worker{'s' * (health.up > 1)} up"


def health_dot() -> dict[str, str]:
    """Tone and words of the dot in the top bar."""
    health = snapshot()
    return {"tone": TONES[health.state], "text": health_text(health)}


def lane_depths(health: Health, told: Pulse | None = None) -> list[LaneDepth]:
    """Every lane, the unserved too. Workers that serve the same lane see the same queue."""
    told = told or Pulse(None)
    waiting: Counter[str] = Counter()
    for worker in health.workers:
        for lane, count in worker.lanes.items():
            waiting[lane] = max(waiting[lane], count)
    return [
        LaneDepth(name, lane.group, waiting[name], lane.queue_limit, name in health.served, *told.lane(name))
        for name, lane in settings.LANES.items()
    ]


def resident_adapters(health: Health) -> set[str]:
    """The adapters that some worker knows: by their digest, the shipped ones by their reference."""
    return {str(adapter["adapter"]) for worker in health.workers for adapter in worker.adapters}


def shipped_adapters(health: Health) -> list[dict[str, Any]]:
    """The resident adapters that come with Rootstock, each once."""
    found = {a["adapter"]: a for worker in health.workers for a in worker.adapters if a.get("shipped")}
    return [found[reference] for reference in sorted(found)]


def adapters_told(worker: WorkerHealth, own: Mapping[str, AdapterVersion]) -> tuple[list[str], int]:
    """The adapters in a worker that an organisation may know by name, and how many others' there are."""
    told = [
        own[a["adapter"]].reference if a["adapter"] in own else str(a["adapter"])
        for a in worker.adapters
        if a.get("shipped") or a["adapter"] in own
    ]
    return told, len(worker.adapters) - len(told)


def _served_note(health: Health) -> str:
    return "every lane and queue served" if health.state == "ok" else health_text(health)


def _base_tile(workers: list[WorkerHealth]) -> Tile:
    base = next((worker.base for worker in workers if worker.base), None)
    if base is None:
        return Tile("Base model", formats.NONE, note="not resident", symbol="database", tone="error")
    note = f"{filesizeformat(base['bytes'])}, quantized, shared by every adapter"
    return Tile("Base model", str(base["name"]), note=note, symbol="database", tone="ok")


def health_tiles(health: Health) -> list[Tile]:
    """Workers, base, adapters, queue."""
    lanes = lane_depths(health)
    waiting = sum(lane.waiting for lane in lanes)
    resident = resident_adapters(health)
    return [
        Tile(
            "Workers",
            str(health.up),
            note=_served_note(health),
            symbol="cpu",
            tone=TONES[health.state],
            url="#home-workers",
        ),
        _base_tile(health.workers),
        Tile("Adapters", str(len(resident)), "resident", note="grafted onto the base", symbol="layers"),
        Tile("Waiting", str(waiting), note=f"in {len(lanes)} lanes", symbol="hourglass", url="#home-lanes"),
    ]


def holdings(organisation: Organisation, scopes: frozenset[str]) -> list[Tile]:
    """What the organisation has, told by each vertical that the person may read."""
    return [
        tile
        for name, vertical in settings.VERTICALS.items()
        if vertical.overview and f"{name}:read" in scopes
        for tile in _counted(name, vertical.overview, organisation)
    ]


def _counted(name: str, overview: str, organisation: Organisation) -> list[Tile]:
    """A vertical's tiles, which count all there is: not each time the page asks, which is every few seconds."""
    known, key = caches["local"], f"holdings:{name}:{organisation.pk}"
    tiles: list[Tile] | None = known.get(key)
    if tiles is None:
        tiles = import_string(overview)(organisation=organisation)
        if tiles:  # the first payment is seen at once
            known.set(key, tiles, HOLDINGS_S)
    return tiles or []


def home(membership: Membership) -> dict[str, Any]:
    """Everything on the home page."""
    health, scopes, told = snapshot(), ROLE_SCOPES[membership.role], pulse()
    may_see_jobs = "jobs:read" in scopes
    jobs = (
        jobs_page(organisation=membership.organisation_id, scopes=scopes, limit=8)[0] if may_see_jobs else []
    )
    own = own_versions(organisation=membership.organisation_id, digests=resident_adapters(health))
    return {
        "health": health,
        "workers": [(worker, *adapters_told(worker, own)) for worker in health.workers],
        "health_tone": TONES[health.state],
        "health_text": health_text(health),
        "tiles": [*health_tiles(health), *told.tiles],
        "charts": told.charts,
        "figures": told.figures,
        "lanes": lane_depths(health, told),
        "needs": needs_of(membership.organisation, scopes),
        "jobs": [JobPage(job) for job in jobs],
        "may_see_jobs": may_see_jobs,
        "may_see_engine": "adapters:read" in scopes,
        "holdings": holdings(membership.organisation, scopes),
    }
