"""What a job's function sees of its job.

A job's function may be started again from the beginning at any time, because its worker died or a passing fault
came up. What it writes outside the job's row must therefore bear repetition, or be written within

    with handle.commit() as result:      # the job's last step: effects and final state, in one transaction
        Invoice.objects.create(...)
        result["invoices"] = 1

or, for one step of many, within `handle.fenced()`. Both hold the job's row under the owner's fence: either all
of the block is committed by the only owner, or none of it.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Unavailable
from rootstock.jobs import artefacts, bell
from rootstock.jobs.events import event_of
from rootstock.jobs.models import Job, JobArtefact, JobState
from rootstock.jobs.ownership import LeaseLost, event_append, job_finish, job_update, owned, owner_of
from rootstock.jobs.pace import Pace

log = logging.getLogger(__name__)
HEARTBEAT_S = settings.JOB_LEASE_S / 4
_PROGRESS_EVERY_S = 0.3


def _worker_ends() -> bool:
    """Whether this process is a Celery worker that was told to end, which it notes as an exit status."""
    state = sys.modules.get("celery.worker.state")  # there in every worker, and too much to import elsewhere
    told = (getattr(state, name, None) for name in ("should_stop", "should_terminate"))
    return any(status is not None and status is not False for status in told)


class Cancelled(Exception):
    """Somebody asked the job to stop, and it has stopped."""


class JobHandle:
    """What a job's function sees of its job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._pace = Pace()
        self._lost = threading.Event()
        self._stopped = threading.Event()
        self._cancel = threading.Event()
        self._wake = threading.Event()
        self._stop_children: list[Callable[[], None]] = []
        self._written_at = 0.0
        self.committed = False

    @property
    def id(self) -> UUID:
        """The job's id."""
        return self._job.pk

    @property
    def organisation(self) -> Organisation:
        """The organisation that the job works for."""
        return self._job.organisation

    @property
    def asked_by(self) -> str:
        """Who asked for it, as kind and id; of a job from before this was kept, the person."""
        person = f"person:{self._job.created_by_id}" if self._job.created_by_id else ""
        return self._job.asked_by or person

    @property
    def params(self) -> dict[str, Any]:
        """The job's parameters."""
        return self._job.params  # type: ignore[no-any-return]

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return self._job.attempts

    def cancelled(self) -> bool:
        """True once somebody asked the job to stop; raises `LeaseLost` when it is no longer ours."""
        if self._lost.is_set():
            raise LeaseLost
        return self._cancel.is_set()

    def check(self) -> None:
        """Raise `Cancelled`, `LeaseLost` or `Unavailable` when the job should stop here.

        Unavailable: this worker was told to end, and waits for its threads. Another takes the job up.
        """
        if self.cancelled():
            raise Cancelled
        if _worker_ends():
            raise Unavailable("the worker that ran it was stopped")

    def progress(
        self, done: int, total: int | None = None, message: str = "", *, force: bool = False
    ) -> None:
        """Report progress (written at most about three times a second) and stop here if asked to."""
        self.check()
        now = time.monotonic()
        self._pace.add(now, done)
        if force or done == total or now - self._written_at >= _PROGRESS_EVERY_S:
            self._written_at = now
            fields: dict[str, Any] = {"done": done, "message": message[:200], "rate": self._pace.rate(now)}
            self._write(fields | ({"total": total} if total is not None else {}))
            bell.ring(self._job.pk)

    def event(self, type: str, data: dict[str, Any]) -> None:
        """Record a typed event. Raises ValueError for one that `rootstock.jobs.events` does not know."""
        event = event_of(type, data)
        with self.fenced():
            event_append(self._job, event)

    def log(self, text: str) -> None:
        """A line for the job's page: no personal data."""
        self.event("log", {"text": text[:400]})

    def warn(self, text: str) -> None:
        """Something the reader should look at: no personal data."""
        self.event("warning", {"text": text[:400]})

    def artefact(self, name: str, content: bytes | IO[bytes], content_type: str) -> JobArtefact:
        """Keep a file to download; a later attempt's replaces it."""
        self.check()
        return artefacts.artefact_store(self._job, name, content, content_type)

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """One step's writes, in a transaction that only the job's owner can commit. Keep it short."""
        with self._while_owner(), owned(**self._owner):
            yield

    @contextmanager
    def commit(self) -> Iterator[dict[str, Any]]:
        """The job's last step: its writes and its success, in one transaction. Fill the result that is given."""
        result: dict[str, Any] = {}
        self.check()
        with self._while_owner(), tenant(self._job.organisation_id):
            with owned(**self._owner):
                yield result
            job_finish(**self._owner, state=JobState.SUCCEEDED, result=result)
        self.committed = True

    def stop_with(self, stop: Callable[[], None]) -> None:
        """Call `stop` (from another thread) once the job is cancelled or lost, to end what the function waits for."""
        self._stop_children.append(stop)

    @property
    def _owner(self) -> dict[str, Any]:
        return owner_of(self._job)

    @contextmanager
    def _while_owner(self) -> Iterator[None]:
        try:
            yield
        except LeaseLost:
            self._lost.set()
            raise

    def _write(self, fields: dict[str, Any]) -> None:
        if not job_update(**self._owner, **fields):
            self._lost.set()
            raise LeaseLost

    def _beat(self) -> None:
        """Renew the lease until the end; look at once when the bell rings."""
        due = time.monotonic() + HEARTBEAT_S
        while not self._stopped.is_set() and not self._lost.is_set():
            self._wake.wait(max(0.0, due - time.monotonic()))
            self._wake.clear()
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + HEARTBEAT_S
                    self._write({"rate": self._pace.rate(time.monotonic())})
                self._look_for_cancel()
            except LeaseLost:
                break
            except Exception as error:
                log.warning("job %s: heartbeat failed: %s", self._job.pk, type(error).__name__)
                connection.close()
        if self._lost.is_set() or self._cancel.is_set():
            self._end_children()
        connection.close()

    def _look_for_cancel(self) -> None:
        if self._cancel.is_set() or self._stopped.is_set():
            return
        with tenant(self._job.organisation_id):
            if Job.objects.filter(pk=self._job.pk, cancel_requested=True).exists():
                self._cancel.set()
                self._end_children()

    def _end_children(self) -> None:
        while self._stop_children:
            self._stop_children.pop()()

    def _rung(self, job_id: UUID | None) -> None:
        if job_id in (None, self._job.pk):
            self._wake.set()

    def __enter__(self) -> "JobHandle":
        self._leave = bell.listen(bell.CANCEL, self._rung)
        self._thread = threading.Thread(target=self._beat, name=f"job-{self._job.pk}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._leave()
        self._stopped.set()
        self._wake.set()
        self._thread.join()
