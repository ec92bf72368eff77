"""What the worker processes say of themselves."""

import json
from dataclasses import dataclass, field
from typing import Any

import redis
from django.conf import settings

from rootstock.lanes import wire
from rootstock.lanes.client import connection

BEAT = "beat"


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
    processes: dict[str, list[str]] = field(default_factory=dict)  # Celery workers and beat: what each serves

    @property
    def served(self) -> set[str]:
        """Lanes that some worker serves."""
        return {lane for worker in self.workers for lane in worker.lanes}

    @property
    def missing(self) -> list[str]:
        """Lanes that no worker serves."""
        return sorted(set(settings.LANES) - self.served)

    @property
    def queues(self) -> dict[str, bool]:
        """Every queue of background work, and beat which fills them: whether some process serves it."""
        served = {queue for queues in self.processes.values() for queue in queues}
        return {queue: queue in served for queue in sorted(_queues())}

    @property
    def unserved(self) -> list[str]:
        """Queues that no worker takes from, and `beat` when it does not run."""
        return [queue for queue, served in self.queues.items() if not served]

    @property
    def others(self) -> dict[str, list[str]]:
        """The processes that serve no lane."""
        names = {worker.name for worker in self.workers}
        return {name: queues for name, queues in self.processes.items() if name not in names}

    @property
    def up(self) -> int:
        """How many processes say that they live."""
        return len(self.workers) + len(self.others)

    @property
    def state(self) -> str:
        """`ok`, `degraded` (some lane or queue unserved) or `down`."""
        if not self.reachable or not self.workers:
            return "down"
        return "degraded" if self.missing or self.unserved else "ok"


def _queues() -> set[str]:
    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    jobs = {kind.queue for kind in settings.JOB_KINDS.values()}
    return {BEAT, settings.CELERY_TASK_DEFAULT_QUEUE, *routed, *jobs}


def process_alive(name: str, serves: list[str], *, for_s: int = wire.ALIVE_S) -> None:
    """Say that this process lives, for so many seconds."""
    connection().set(f"process:{name}", json.dumps(serves), ex=for_s)


def process_ended(name: str) -> None:
    """Say that it no longer does."""
    connection().delete(f"process:{name}")


def snapshot() -> Health:
    """What is known now; a worker that died drops out within seconds."""
    try:
        workers, processes = _told("worker:"), _told("process:")
    except redis.RedisError:
        return Health(reachable=False)
    return Health(True, [WorkerHealth(**told) for told in workers.values()], processes)


def _told(prefix: str) -> dict[str, Any]:
    keys = sorted(connection().scan_iter(f"{prefix}*", count=200))
    raws = connection().mget(keys) if keys else []
    return {
        key.decode().removeprefix(prefix): json.loads(raw) for key, raw in zip(keys, raws, strict=True) if raw
    }
