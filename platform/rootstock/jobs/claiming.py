"""Which job a free worker takes, and waking workers.

A message on the broker only says that something may wait on a queue. What is taken is decided here, in PostgreSQL,
when a worker is free: the highest priority; among organisations the one with the fewest running jobs, then the
one whose latest start is longest ago; within an organisation the oldest. So a flood of bulk work delays neither an
urgent job nor another organisation's, and an organisation at its limit of running jobs is passed over.
"""

import logging
from collections.abc import Iterable
from uuid import UUID

import redis
from django.conf import settings
from django.db import connection
from kombu.exceptions import OperationalError

from rootstock.accounts.tenancy import every_tenant
from rootstock.celery import app
from rootstock.jobs.models import Job
from rootstock.jobs.ownership import job_claim
from rootstock.lanes.client import connection as broker

log = logging.getLogger(__name__)
TASK = "rootstock.jobs.tasks.run_next"
_TRIES = 20
_WAITING = "j.queue = %(queue)s AND j.state = 'queued' AND (j.not_before IS NULL OR j.not_before <= now())"
_FIRST = f"""
SELECT first.id, o.id
FROM accounts_organisation o
CROSS JOIN LATERAL (
    SELECT j.id, j.priority FROM jobs_job j WHERE j.organisation_id = o.id AND {_WAITING}
    ORDER BY j.priority, j.id LIMIT 1
) first
CROSS JOIN LATERAL (
    SELECT count(*) AS running FROM jobs_job r WHERE r.organisation_id = o.id AND r.state = 'running'
) busy
LEFT JOIN LATERAL (
    SELECT s.started_at FROM jobs_job s
    WHERE s.organisation_id = o.id AND s.queue = %(queue)s AND s.started_at IS NOT NULL
    ORDER BY s.started_at DESC LIMIT 1
) latest ON true
WHERE busy.running < %(limit)s
ORDER BY first.priority, busy.running, latest.started_at NULLS FIRST, first.id
LIMIT 4
"""


def claim_next(queue: str, *, worker: str = "") -> Job | None:
    """Take the job that is next on the queue; None when nothing waits that may run."""
    for _ in range(_TRIES):  # another worker may be quicker with what was found
        found = _first_waiting(queue)
        for job_id, organisation_id in found:
            if job := job_claim(organisation=organisation_id, job_id=job_id, worker=worker):
                return job
        if not found:
            return None
    return None


def _first_waiting(queue: str) -> list[tuple[UUID, UUID]]:
    """The best waiting job of each organisation that may run one more, best first."""
    with every_tenant("reaper"), connection.cursor() as cursor:
        cursor.execute(_FIRST, {"queue": queue, "limit": settings.JOBS_RUNNING})
        found: list[tuple[UUID, UUID]] = cursor.fetchall()
    return found


def wake(queue: str, *, countdown: float = 0) -> None:
    """Send a worker of the queue to look. A broker that is away is no error: the reaper sends one later."""
    try:
        app.send_task(TASK, args=[queue], queue=queue, countdown=countdown or None)
    except OperationalError:
        log.warning("queue %s: the broker is away; the reaper will wake a worker", queue)


def wake_where_idle(queues: Iterable[str]) -> int:
    """Send one message to each queue on which jobs wait and no message does; the number sent."""
    silent = [queue for queue in _empty(set(queues)) if _first_waiting(queue)]
    for queue in silent:
        wake(queue)
    return len(silent)


def _empty(queues: set[str]) -> list[str]:
    try:
        return [queue for queue in sorted(queues) if not broker().llen(queue)]
    except redis.RedisError:
        return []
