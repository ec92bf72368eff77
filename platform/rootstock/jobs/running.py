"""The owner's side of a job: claim it, keep its lease alive, run its function, record how it ended."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import DomainError, InternalError
from rootstock.jobs import services
from rootstock.jobs.models import Job, JobEvent, JobState

log = logging.getLogger(__name__)
HEARTBEAT_S = settings.JOB_LEASE_S / 4
_PROGRESS_EVERY_S = 0.3


class LeaseLost(Exception):
    """Another worker owns the job now: stop, and write nothing more."""


class Cancelled(Exception):
    """Somebody asked the job to stop, and it has stopped."""


class JobHandle:
    """What a job's function sees of its job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lost = threading.Event()
        self._stopped = threading.Event()
        self._cancel = threading.Event()
        self._written_at = 0.0

    @property
    def id(self) -> UUID:
        """The job's id."""
        return self._job.pk

    @property
    def organisation(self) -> Organisation:
        """The organisation that the job works for."""
        return self._job.organisation

    @property
    def params(self) -> dict[str, Any]:
        """The job's parameters."""
        return self._job.params  # type: ignore[no-any-return]

    def cancelled(self) -> bool:
        """True once somebody asked the job to stop; raises `LeaseLost` when it is no longer ours."""
        if self._lost.is_set():
            raise LeaseLost
        return self._cancel.is_set()

    def check(self) -> None:
        """Raise `Cancelled` or `LeaseLost` when the job should stop here."""
        if self.cancelled():
            raise Cancelled

    def progress(
        self, done: int, total: int | None = None, message: str = "", *, force: bool = False
    ) -> None:
        """Report progress (written at most about three times a second) and stop here if asked to."""
        self.check()
        now = time.monotonic()
        if force or done == total or now - self._written_at >= _PROGRESS_EVERY_S:
            self._written_at = now
            fields: dict[str, Any] = {"done": done, "message": message[:200]}
            self._write(fields | ({"total": total} if total is not None else {}))

    def event(self, type: str, data: dict[str, Any]) -> None:
        """Record a typed event for the job's page."""
        with tenant(self._job.organisation_id):
            JobEvent.objects.create(
                organisation_id=self._job.organisation_id, job=self._job, type=type, data=data
            )

    def _write(self, fields: dict[str, Any]) -> None:
        job = self._job
        if not services.job_update(
            organisation=job.organisation_id, job_id=job.pk, fence=job.fence, **fields
        ):
            self._lost.set()
            raise LeaseLost

    def _beat(self) -> None:
        while not self._stopped.wait(HEARTBEAT_S):
            try:
                self._write({})
                self._look_for_cancel()
            except LeaseLost:
                break
            except Exception:
                log.exception("job %s: heartbeat failed", self._job.pk)
        connection.close()

    def _look_for_cancel(self) -> None:
        with tenant(self._job.organisation_id):
            if Job.objects.filter(pk=self._job.pk, cancel_requested=True).exists():
                self._cancel.set()

    def __enter__(self) -> "JobHandle":
        self._thread = threading.Thread(target=self._beat, name=f"job-{self._job.pk}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopped.set()
        self._thread.join()


JobFunction = Callable[[JobHandle], dict[str, Any]]


def run_job(organisation_id: str, job_id: str, function: JobFunction) -> None:
    """Run a job's function if the job is still to be had; a second delivery of the same message does nothing."""
    job = services.job_claim(organisation=UUID(organisation_id), job_id=UUID(job_id))
    if job is None:
        return
    try:
        with JobHandle(job) as handle, acting(Actor("system", f"job {job.kind}")):
            if job.cancel_requested:
                raise Cancelled
            result = function(handle)
    except LeaseLost:
        log.warning("job %s: the lease passed to another worker", job.pk)
    except Cancelled:
        _finish(job, JobState.CANCELLED)
    except DomainError as error:
        _fail(job, error)
    except Exception as error:
        log.exception("job %s (%s) failed", job.pk, job.kind)
        _fail(
            job, InternalError(f"{type(error).__name__} in {job.kind}; see the worker's log for job {job.pk}")
        )
    else:
        _finish(job, JobState.SUCCEEDED, result=result)


def _finish(job: Job, state: str, **fields: Any) -> None:
    services.job_finish(
        organisation=job.organisation_id, job_id=job.pk, fence=job.fence, state=state, **fields
    )


def _fail(job: Job, error: DomainError) -> None:
    if not error.permanent and job.attempts < services.MAX_ATTEMPTS and not isinstance(error, InternalError):
        services.job_retry_later(job, error=error.as_dict())
    else:
        _finish(job, JobState.FAILED, error=error.as_dict())
