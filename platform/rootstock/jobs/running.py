"""Run a claimed job's function and record how it ended."""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from rootstock.accounts.actors import Actor, acting
from rootstock.errors import DomainError, InternalError
from rootstock.jobs import retry
from rootstock.jobs.claiming import wake
from rootstock.jobs.events import AttemptFailed
from rootstock.jobs.handle import Cancelled as Cancelled
from rootstock.jobs.handle import JobHandle as JobHandle
from rootstock.jobs.models import Job, JobState
from rootstock.jobs.ownership import LeaseLost, job_finish, job_requeue, owner_of
from rootstock.middleware import request_id

log = logging.getLogger(__name__)
_COUNTDOWN_S = 60.0  # a longer wait is left to the reaper

JobFunction = Callable[[JobHandle], dict[str, Any]]


def run_claimed(job: Job, function: JobFunction | None = None) -> None:
    """Run the job that this process has claimed, and record how it ended."""
    token = request_id.set(job.request_id or "-")
    try:
        _run(job, function or import_string(retry.kind_of(job.kind).run))
    except LeaseLost:
        log.warning("job %s: the lease passed to another worker", job.pk)
    except Cancelled:
        _last_words(lambda: job_finish(**owner_of(job), state=JobState.CANCELLED))
    except Exception as error:
        _fail(job, error)
    finally:
        request_id.reset(token)


def _run(job: Job, function: JobFunction) -> None:
    with JobHandle(job) as handle, acting(Actor("system", f"job {job.kind}")):
        if job.cancel_requested:
            raise Cancelled
        result = function(handle)
    if not handle.committed:
        _last_words(lambda: job_finish(**owner_of(job), state=JobState.SUCCEEDED, result=result))


def _fail(job: Job, error: Exception) -> None:
    told = retry.domain_error(error, job)
    if isinstance(told, InternalError):
        log.error("job %s (%s) failed", job.pk, job.kind, exc_info=error)
    failed = retry.failed_attempt(job, told.code, told.detail)
    delay = retry.delay_s(job, told)
    if delay is None:
        _last_words(
            lambda: job_finish(**owner_of(job), state=JobState.FAILED, error=told.as_dict(), failed=failed)
        )
    elif _last_words(lambda: _requeue(job, failed, told, delay)) and delay <= _COUNTDOWN_S:
        wake(job.queue, countdown=delay)


def _requeue(job: Job, failed: AttemptFailed, told: DomainError, delay: float) -> bool:
    limit = retry.kind_of(job.kind).max_attempts
    if job_requeue(job, failed=failed, error=told.as_dict(), delay_s=delay, of=limit):
        return True
    job_finish(**owner_of(job), state=JobState.CANCELLED, failed=failed)  # unless it is no longer ours
    return False


def _last_words(write: Callable[[], bool]) -> bool:
    """Write how it ended, with patience for a database that restarts. Past the lease the reaper decides."""
    until = time.monotonic() + settings.JOB_LEASE_S
    while True:
        try:
            return write()
        except retry.PASSING:
            connection.close()
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
