"""What the worker processes say of themselves."""

import json
from dataclasses import dataclass, field
from typing import Any

import redis
from django.conf import settings

from rootstock.lanes.client import connection


@dataclass(slots=True, frozen=True)
class WorkerHealth:
    """One worker process, as of `seen_at` (Unix seconds)."""

    name: str
    groups: list[str]
    lanes: dict[str, int]  # lane -> items waiting
    base: dict[str, Any] | None  # name, fingerprint, bytes, form, device
    adapters: list[dict[str, Any]]  # adapter, task, slot, bytes, …; shipped: not one of an organisation's own
    engine: dict[str, Any] | None
    memory_bytes: int
    started_at: float
    seen_at: float


@dataclass(slots=True, frozen=True)
class Health:
    """The worker side as a whole."""

    reachable: bool
    workers: list[WorkerHealth] = field(default_factory=list)

    @property
    def served(self) -> set[str]:
        """Lanes that some worker serves."""
        return {lane for worker in self.workers for lane in worker.lanes}

    @property
    def missing(self) -> list[str]:
        """Lanes that no worker serves."""
        return sorted(set(settings.LANES) - self.served)

    @property
    def state(self) -> str:
        """`ok`, `degraded` (some lane unserved) or `down`."""
        if not self.reachable or not self.workers:
            return "down"
        return "degraded" if self.missing else "ok"


def snapshot() -> Health:
    """What is known now; a worker that died drops out within seconds."""
    try:
        keys = sorted(connection().scan_iter("worker:*", count=200))
        raws = connection().mget(keys) if keys else []
    except redis.RedisError:
        return Health(reachable=False)
    return Health(reachable=True, workers=[WorkerHealth(**json.loads(raw)) for raw in raws if raw])
