"""The owner's writes: claim a job, renew its lease, tell events, end it. Each names the owner's fence."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone
from django.utils.module_loading import import_string

from rootstock.accounts.tenancy import tenant
from rootstock.jobs import bell
from rootstock.jobs.events import AttemptFailed, Done, Event, RetryScheduled, Started
from rootstock.jobs.models import FINAL_STATES, Job, JobEvent, JobState
from rootstock.webhooks.services import event_emit

LEASE = timedelta(seconds=settings.JOB_LEASE_S)


class LeaseLost(Exception):
    """Another worker owns the job now: stop, and write nothing more."""


def owner_of(job: Job) -> dict[str, Any]:
    """Who owns the job, as arguments of the functions below."""
    return {"organisation": job.organisation_id, "job_id": job.pk, "fence": job.fence}


def event_append(job: Job, event: Event) -> None:
    """Store an event behind the job's others. Call it in the transaction that holds the job's row."""
    Job.objects.filter(pk=job.pk).update(last_event=F("last_event") + 1)
    job.last_event = Job.objects.values_list("last_event", flat=True).get(pk=job.pk)
    _insert(job, event)


def _insert(job: Job, event: Event) -> None:
    """Store an event whose sequence the job's row has just been given."""
    JobEvent.objects.create(
        organisation_id=job.organisation_id,
        job=job,
        sequence=job.last_event,
        type=event.type,
        data=event.stored(),
    )
    bell.ring_on_commit(job)


def ended_tell(job: Job) -> None:
    """Tell whoever waits for a job's end, in the transaction of that end: its kind's own module, and webhooks."""
    kind = settings.JOB_KINDS.get(job.kind)
    if kind and kind.ended:
        import_string(kind.ended)(job)
    webhooks_tell(job, str(job.state))


def webhooks_tell(job: Job, what: str) -> None:
    """Tell the organisation's webhooks, in the transaction of the change."""
    data = {"job_id": str(job.pk), "kind": job.kind, "attempts": job.attempts}
    event_emit(organisation=job.organisation_id, type=f"job.{what}", data=data)


@contextmanager
def owned(*, organisation: UUID, job_id: UUID, fence: int) -> Iterator[Job]:
    """A transaction on the job's locked row, as its owner; the lease is renewed at its end.

    Raises LeaseLost when another owns the job or it has ended: what the block wrote is then rolled back.
    """
    with tenant(organisation):
        held = Job.objects.filter(pk=job_id, fence=fence, state=JobState.RUNNING)
        job = held.select_for_update().first()
        if job is None:
            raise LeaseLost
        yield job
        now = timezone.now()
        held.update(lease_until=now + LEASE, heartbeat_at=now)


def job_claim(*, organisation: UUID, job_id: UUID, worker: str = "") -> Job | None:
    """Take a waiting job, or a running one whose lease ran out. None when somebody else has it or it has ended."""
    now = timezone.now()
    with tenant(organisation):
        claimed = (
            Job.objects.filter(pk=job_id)
            .filter(Q(state=JobState.QUEUED) | Q(state=JobState.RUNNING, lease_until__lt=now))
            .update(
                state=JobState.RUNNING,
                fence=F("fence") + 1,
                attempts=F("attempts") + 1,
                lease_until=now + LEASE,
                heartbeat_at=now,
                started_at=now,
                not_before=None,
                rate=None,
                error=None,
                last_event=F("last_event") + 1,
            )
        )
        if not claimed:
            return None
        job = Job.objects.select_related("organisation").get(pk=job_id)
        _insert(job, Started(attempt=job.attempts, worker=worker))
        if job.attempts == 1:
            webhooks_tell(job, "started")
    return job


def job_update(*, organisation: UUID, job_id: UUID, fence: int, **fields: Any) -> bool:
    """Write as the owner with this fence and renew the lease. False when the lease has passed to another."""
    now = timezone.now()
    with tenant(organisation):
        held = Job.objects.filter(pk=job_id, fence=fence, state=JobState.RUNNING)
        return held.update(lease_until=now + LEASE, heartbeat_at=now, **fields) == 1


def job_finish(
    *,
    organisation: UUID,
    job_id: UUID,
    fence: int,
    state: str,
    result: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
    failed: AttemptFailed | None = None,
) -> bool:
    """End a job as its owner. False when the lease has passed to another."""
    if state not in FINAL_STATES:
        raise ValueError(f"{state} is not final")
    with tenant(organisation):
        held = Job.objects.filter(pk=job_id, fence=fence, state=JobState.RUNNING)
        fields = {"state": state, "result": result, "error": error, "finished_at": timezone.now()}
        if not held.update(lease_until=None, rate=None, last_event=F("last_event") + 1, **fields):
            return False
        job = Job.objects.defer("params", "result").get(pk=job_id)
        done = Done.model_validate({"state": str(state)})
        _insert(job, failed or done)
        if failed:
            event_append(job, done)
        ended_tell(job)
    return True


def job_requeue(job: Job, *, failed: AttemptFailed, error: dict[str, Any], delay_s: float, of: int) -> bool:
    """Give a job back as its owner, to be tried again after a while.

    False when the lease has passed to another, or somebody has asked the job to stop.
    """
    at = timezone.now() + timedelta(seconds=delay_s)
    with tenant(job.organisation_id):
        held = Job.objects.filter(pk=job.pk, fence=job.fence, state=JobState.RUNNING)
        if not held.filter(cancel_requested=False).update(
            state=JobState.QUEUED,
            lease_until=None,
            rate=None,
            error=error,
            not_before=at if delay_s else None,
        ):
            return False
        event_append(job, failed)
        event_append(job, RetryScheduled(attempt=job.attempts + 1, of=of, at=at))
    return True
