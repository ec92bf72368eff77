"""What is read when Prometheus asks: workers and lanes from Valkey, backlogs from PostgreSQL, the connection pool."""

import logging
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

import redis
from django.db import Error, connection
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from rootstock.accounts.tenancy import every_tenant
from rootstock.errors import DomainError
from rootstock.lanes.health import WorkerHealth, snapshot
from rootstock.metrics.histogram import BOUNDS_MS
from rootstock.metrics.ring import totals

log = logging.getLogger(__name__)
_ENGINE_COUNTERS = {
    "requests": "Requests to write since the engine's start",
    "generated_tokens": "Tokens written since the engine's start",
    "prompt_tokens": "Tokens of prompts since the engine's start, those found in the prefix cache too",
    "prefix_hit_tokens": "Tokens of prompts whose keys were found in the prefix cache",
    "texts": "Windows of texts read for heads and vectors since the engine's start",
    "errors": "Steps that failed since the engine's start",
    "preemptions": "Times that a running request was set aside to make room for another",
    "steps": "Forward passes since the engine's start",
}
_ENGINE_GAUGES = {
    "running": "Requests in the engine's batch now",
    "waiting": "Requests that wait for a place in the batch",
    "slots": "Adapters that fit on the device at once",
    "adapter_bytes": "Bytes of host memory that adapters take",
    "adapter_room": "Bytes of host memory that adapters may take",
    "kv_blocks": "Blocks of the key-value cache",
    "kv_blocks_used": "Blocks of the key-value cache that running requests hold",
    "kv_blocks_cached": "Blocks of the key-value cache kept for prefixes, free to be taken",
    "tokens_per_second": "Tokens written a second, over about the last ten seconds of writing",
    "token_ms": "95th percentile of the milliseconds between an answer's tokens over the last seconds",
    "token_budget_ms": "Milliseconds that it should at most be: what trainings beside the engine pace themselves by",
}
_ENGINE_DISTRIBUTIONS = (
    ("first_token_ms", "first_token_seconds", "From a request to its first token", 1000),
    ("inter_token_ms", "inter_token_seconds", "Between two tokens of an answer", 1000),
    ("batch", "batch", "Requests in a step of the engine", 1),
)


class Platform(Collector):
    """Everything beyond this process. A part whose service is away is left out; the scrape succeeds."""

    def collect(self) -> Iterable[Metric]:
        """One scrape."""
        for part in (_workers, _lanes, _jobs, _webhooks, _audit, _pool):
            try:
                yield from part()
            except (Error, redis.RedisError, DomainError) as error:
                log.warning("a part of the metrics is missing: %s", type(error).__name__)

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask services that may not run yet."""
        return []


def _workers() -> Iterator[Metric]:
    health = snapshot()
    up = GaugeMetricFamily(
        "rootstock_worker_up", "Workers, and beat, that say that they live", labels=["worker"]
    )
    served = GaugeMetricFamily("rootstock_queue_served", "Whether some process serves it", labels=["queue"])
    memory = GaugeMetricFamily("rootstock_worker_memory_bytes", "Resident memory", labels=["worker"])
    waiting = GaugeMetricFamily("rootstock_lane_waiting", "Requests in a lane's queue", labels=["lane"])
    for lane in health.missing:
        waiting.add_metric([lane], 0)
    for queue, is_served in health.queues.items():
        served.add_metric([queue], is_served)
    for name in health.others:
        up.add_metric([name], 1)
    for worker in health.workers:
        up.add_metric([worker.name], 1)
        memory.add_metric([worker.name], worker.memory_bytes)
        for lane, count in worker.lanes.items():
            waiting.add_metric([lane], count)
    unserved = GaugeMetricFamily(
        "rootstock_lanes_unserved", "Lanes that no worker serves", len(health.missing)
    )
    yield from (up, served, memory, waiting, unserved, *_engines(health.workers))


def _engines(workers: list[WorkerHealth]) -> Iterator[Metric]:
    having = [(worker.name, worker.engine) for worker in workers if worker.engine]
    for kind, names in ((CounterMetricFamily, _ENGINE_COUNTERS), (GaugeMetricFamily, _ENGINE_GAUGES)):
        for name, text in names.items():
            family = kind(f"rootstock_engine_{name}", text, labels=["worker"])
            for worker, engine in having:
                family.add_metric([worker], engine.get(name, 0))
            yield family
    tiers = GaugeMetricFamily(
        "rootstock_engine_adapters", "Adapters by where they are", labels=["worker", "tier"]
    )
    for worker, engine in having:
        for tier, count in engine.get("tiers", {}).items():
            tiers.add_metric([worker, tier], count)
    yield tiers
    for source, name, text, scale in _ENGINE_DISTRIBUTIONS:
        histogram = HistogramMetricFamily(f"rootstock_engine_{name}", text, labels=["worker"])
        for worker, engine in having:
            if found := engine.get(source):
                histogram.add_metric([worker], _cumulated(found, scale), found["total"] / scale)
        yield histogram


def _cumulated(found: dict[str, Any], scale: float) -> list[tuple[str, float]]:
    names = [*(f"{bound / scale:.6g}" for bound in found["bounds"]), "+Inf"]
    return list(zip(names, map(float, accumulate(found["counts"])), strict=True))


def _lanes() -> Iterator[Metric]:
    items = CounterMetricFamily("rootstock_lane_items", "Requests that a lane answered", labels=["lane"])
    batches = CounterMetricFamily("rootstock_lane_batches", "Batches that a lane ran", labels=["lane"])
    seconds = HistogramMetricFamily(
        "rootstock_lane_seconds", "From admission to the worker's answer", labels=["lane"]
    )
    found: dict[str, dict[str, int]] = {}
    for name, amount in totals("lanes").items():
        lane, _, what = name.rpartition("/")
        found.setdefault(lane, {})[what] = amount
    for lane, counts in sorted(found.items()):
        items.add_metric([lane], counts.get("count", 0))
        batches.add_metric([lane], counts.get("batches", 0))
        seconds.add_metric([lane], _buckets(counts), counts.get("ms", 0) / 1000)
    yield from (items, batches, seconds)


def _buckets(counts: dict[str, int]) -> list[tuple[str, float]]:
    """Every fourth class of the ring's, cumulated."""
    places = {
        int(name[1:]): amount for name, amount in counts.items() if name[:1] == "c" and name[1:].isdigit()
    }
    shown = [
        (f"{BOUNDS_MS[place] / 1000:.6g}", float(sum(n for at, n in places.items() if at <= place)))
        for place in range(0, len(BOUNDS_MS), 4)
    ]
    return [*shown, ("+Inf", float(sum(places.values())))]


def _jobs() -> Iterator[Metric]:
    from rootstock.jobs.models import OPEN_STATES, Job

    count = GaugeMetricFamily("rootstock_jobs", "Jobs that have not ended", labels=["kind", "state"])
    age = GaugeMetricFamily(
        "rootstock_jobs_oldest_seconds", "Age of the oldest of them", labels=["kind", "state"]
    )
    rows = Job.objects.filter(state__in=OPEN_STATES).values("kind", "state").order_by("kind", "state")
    for row in _as_system("reaper", rows.annotate(n=Count("id"), since=Min("created_at"))):
        count.add_metric([row["kind"], row["state"]], row["n"])
        age.add_metric([row["kind"], row["state"]], _age(row["since"]))
    yield from (count, age)


def _webhooks() -> Iterator[Metric]:
    from rootstock.webhooks.models import DeliveryState, WebhookDelivery

    rows = WebhookDelivery.objects.filter(state=DeliveryState.PENDING).order_by()
    [row] = _as_system("webhooks", rows.values("state").annotate(n=Count("id"), since=Min("created_at"))) or [
        {}
    ]
    yield GaugeMetricFamily("rootstock_webhook_backlog", "Deliveries that wait", row.get("n", 0))
    yield GaugeMetricFamily(
        "rootstock_webhook_backlog_oldest_seconds", "Age of the oldest", _age(row.get("since"))
    )


def _audit() -> Iterator[Metric]:
    from rootstock.accounts.models import Organisation
    from rootstock.audit.models import PendingLeaf
    from rootstock.audit.selectors import chain_broken

    rows = PendingLeaf.objects.order_by().values("organisation").annotate(n=Count("id"))
    waiting = sum(row["n"] for row in _as_system("audit", rows))
    yield GaugeMetricFamily("rootstock_audit_backlog", "Entries that no root seals yet", waiting)
    broken = sum(chain_broken(organisation=one) for one in Organisation.objects.values_list("pk", flat=True))
    yield GaugeMetricFamily(
        "rootstock_audit_chains_broken", "Trails that their last verification found broken", broken
    )


def _pool() -> Iterator[Metric]:
    pool = getattr(connection, "pool", None)
    for name, amount in (pool.get_stats() if pool else {}).items():
        yield GaugeMetricFamily(f"rootstock_db_{name}", "psycopg_pool's own figure", amount)


def _as_system(part: str, rows: Any) -> list[dict[str, Any]]:
    """Counts over every organisation: policies let the named part of the system read these rows."""
    with every_tenant(part):
        return list(rows)


def _age(since: Any) -> float:
    return (timezone.now() - since).total_seconds() if since else 0.0
