"""What happens to jobs, for all who watch in this process: one reader asks the database for all of them.

The reader looks when the bell rings, and every two seconds whether it rings or not. A stream is then a queue that
its thread sleeps on: hundreds of them cost neither connections nor queries of their own.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from rootstock.accounts.tenancy import tenant
from rootstock.jobs import bell
from rootstock.jobs.events import Progress
from rootstock.jobs.models import Job, JobEvent
from rootstock.jobs.retry import PASSING

log = logging.getLogger(__name__)
POLL_S = 2.0
_GAP_S = 0.1  # between two looks: progress comes about three times a second and job
_MOST = 500  # events of one look and job; the rest comes with the next


@dataclass(slots=True, frozen=True)
class News:
    """A job as it is, and the events that a watcher has not had. `final`: nothing more will come."""

    progress: Progress
    events: list[JobEvent]
    final: bool


class Watcher:
    """One stream's place in a job's events, and what waits to be sent on it."""

    def __init__(self, organisation: UUID, job_id: UUID, after: int) -> None:
        self.organisation, self.job_id, self.position = organisation, job_id, after
        self._waiting: deque[News] = deque()
        self._changed = threading.Condition()

    def put(self, news: News) -> None:
        """What the reader found; of a job that has not changed but in its progress, only the latest is kept."""
        events = [event for event in news.events if event.sequence > self.position]
        with self._changed:
            if events:
                self.position = events[-1].sequence
            elif self._waiting and not self._waiting[-1].events:
                self._waiting.pop()
            self._waiting.append(News(news.progress, events, news.final))
            self._changed.notify()

    def take(self, timeout_s: float) -> News | None:
        """The next news; None when there is none for so long."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout_s)
            return self._waiting.popleft() if self._waiting else None

    @property
    def behind(self) -> bool:
        """Its client does not read as fast as things happen: it gets no more until it does."""
        return len(self._waiting) > 20


class Feed:
    """The reader of this process. It runs while somebody watches."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []
        self._fresh: set[UUID] = set()
        self._lock = threading.Lock()
        self._rung = threading.Event()
        self._running = False

    @contextmanager
    def watch(self, *, organisation: UUID, job_id: UUID, after: int = 0) -> Iterator[Watcher]:
        """A job's events behind the sequence `after`. The caller has checked that the job may be seen."""
        watcher = Watcher(organisation, job_id, after)
        with self._lock:
            self._watchers.append(watcher)
            if not self._running:
                self._running = True
                threading.Thread(target=self._read, name="job-feed", daemon=True).start()
        self._ring(job_id)
        try:
            yield watcher
        finally:
            with self._lock:
                self._watchers.remove(watcher)

    @property
    def watched(self) -> int:
        """How many watch now."""
        return len(self._watchers)

    def _ring(self, job_id: UUID | None) -> None:
        with self._lock:
            mine = {job_id} if job_id else {watcher.job_id for watcher in self._watchers}
            self._fresh |= mine & {watcher.job_id for watcher in self._watchers}
        if self._fresh:
            self._rung.set()

    def _read(self) -> None:
        leave, polled_at = bell.listen(bell.NEWS, self._ring), 0.0
        while True:
            self._rung.wait(POLL_S)
            self._rung.clear()
            with self._lock:
                if not self._watchers:
                    self._running = False
                    leave()
                    connection.close()
                    return
                due = time.monotonic() - polled_at >= POLL_S
                looked = {w.job_id for w in self._watchers} if due else self._fresh
                watchers = [w for w in self._watchers if w.job_id in looked and not w.behind]
                self._fresh = set()
            polled_at = time.monotonic() if due else polled_at
            self._look(watchers)
            time.sleep(_GAP_S)

    def _look(self, watchers: list[Watcher]) -> None:
        for organisation in {watcher.organisation for watcher in watchers}:
            mine = [watcher for watcher in watchers if watcher.organisation == organisation]
            try:
                found = _news(organisation, mine)
            except Exception as error:  # whatever it is, the streams stay and the next look may succeed
                known = isinstance(error, PASSING)
                log.warning("job feed: %s", type(error).__name__, exc_info=None if known else error)
                connection.close()
                continue
            for watcher in mine:
                if news := found.get(watcher.job_id):
                    watcher.put(news)
                    if len(news.events) == _MOST:
                        self._ring(watcher.job_id)


def _news(organisation: UUID, watchers: Iterable[Watcher]) -> dict[UUID, News]:
    """Two queries for all jobs of an organisation. The jobs first: an event later than its job is told next time."""
    behind: dict[UUID, int] = {}
    for watcher in watchers:
        behind[watcher.job_id] = min(watcher.position, behind.get(watcher.job_id, watcher.position))
    with tenant(organisation):
        jobs = list(Job.objects.filter(pk__in=behind).defer("params", "result"))
        grown = [job.pk for job in jobs if job.last_event > behind[job.pk]]
        events: dict[UUID, list[JobEvent]] = {pk: [] for pk in behind}
        for pk in grown:
            found = JobEvent.objects.filter(job_id=pk, sequence__gt=behind[pk]).order_by("sequence")
            events[pk] = list(found[:_MOST])
    return {job.pk: News(progress_of(job), events[job.pk], _is_over(job, behind, events)) for job in jobs}


def _is_over(job: Job, behind: dict[UUID, int], events: dict[UUID, list[JobEvent]]) -> bool:
    told = events[job.pk][-1].sequence if events[job.pk] else behind[job.pk]
    return job.is_final and told >= job.last_event


def progress_of(job: Job) -> Progress:
    """How far the job is."""
    return Progress(
        state=str(job.state),
        done=job.done,
        total=job.total,
        eta_s=round(job.eta_s, 1) if job.eta_s is not None else None,
        message=job.message,
        attempts=job.attempts,
    )


feed = Feed()
