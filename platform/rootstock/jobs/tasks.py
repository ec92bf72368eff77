"""The Celery side of jobs."""

import socket
from typing import Any

from celery import Task, shared_task

from rootstock.jobs import artefacts, retention
from rootstock.jobs import clock as clock  # beat imports this module, and the clock starts with it
from rootstock.jobs.claiming import claim_next, wake_where_idle
from rootstock.jobs.running import run_claimed


@shared_task(bind=True)
def run_next(self: "Task[Any, Any]", queue: str) -> None:
    """Run what is next on this queue, then see that somebody takes the rest."""
    job = claim_next(queue, worker=self.request.hostname or socket.gethostname())
    if job is not None:
        try:
            run_claimed(job)
        finally:
            wake_where_idle([queue])


@shared_task
def expire_artefacts() -> int:
    """Once an hour: remove the files whose time is over."""
    return artefacts.artefacts_expire()


@shared_task
def purge_jobs() -> int:
    """Once a day: delete the jobs whose time is over."""
    return retention.jobs_purge()
