"""Whether and when a failed attempt is tried again, read from the error; and its words for the reader."""

import random

from django.conf import settings
from django.db import InterfaceError

from rootstock.catalogue import JobKind
from rootstock.errors import AWAY, DomainError, InternalError, unavailable
from rootstock.jobs.events import AttemptFailed
from rootstock.jobs.models import Job

PASSING = (*AWAY, InterfaceError)  # a connection that a restart has cut
FIRST_S, LONGEST_S = 2.0, 300.0
ADVICE = {
    "invalid_input": "Correct what is named and start a new job; trying the same again gives the same.",
    "not_found": "What the job works on is gone. Start it again with something that is there.",
    "conflict": "Something else was stored meanwhile. Look at it, then decide whether to start again.",
    "training_failed": "Look at the reason; with less memory (a smaller batch or fewer tokens) it may pass.",
    "worker_lost": "The worker ended each time while it ran this job, often for want of memory. Make the job "
    "smaller or ask an operator to look at the worker's log, then run it again.",
    "unavailable": "A service that the job needs was away. Look at the home page; once it is up, run it again.",
    "busy": "The workers had too much to do. Run it again when it is quieter.",
    "deadline_exceeded": "The worker was too slow to answer. Run it again when it is quieter.",
    "internal": "This is a fault of the program, not of your input. Give the operator the job's id.",
}


def kind_of(name: str) -> JobKind:
    """A kind of job; of one that has left the settings, what can still be said."""
    known = settings.JOB_KINDS.get(name)
    return known or JobKind(run="", queue="", label=name, scope="jobs:write")


def domain_error(error: Exception, job: Job) -> DomainError:
    """Any exception as a domain error; of a fault of ours only its class is told."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, PASSING):
        return unavailable(error)
    return InternalError(f"{type(error).__name__} in {job.kind}; see the worker's log for job {job.pk}")


def delay_s(job: Job, error: DomainError) -> float | None:
    """Seconds until the next attempt; None when there is none.

    Exponential back-off with jitter, so that jobs which failed together do not return together; never sooner than
    the error's `retry_after`, and never later than five minutes unless it says so.
    """
    if error.permanent or isinstance(error, InternalError) or job.attempts >= kind_of(job.kind).max_attempts:
        return None
    backed_off = min(LONGEST_S, FIRST_S * 2.0 ** (job.attempts - 1))
    return max(error.retry_after or 0.0, backed_off * random.uniform(0.5, 1.0))


def failed_attempt(job: Job, code: str, detail: str) -> AttemptFailed:
    """The event of a failed attempt."""
    return AttemptFailed(attempt=job.attempts, code=code, detail=detail[:2000], kept=kind_of(job.kind).kept)


def advice(error: dict[str, object] | None) -> str:
    """What the reader can do about a stored error."""
    return ADVICE.get(str((error or {}).get("code")), "Look at the reason; run it again once it is gone.")
