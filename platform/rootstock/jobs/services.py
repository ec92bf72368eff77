"""Writes on jobs: create, cancel, claim, renew, finish, and give back what a dead worker left."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import set_local, tenant
from rootstock.celery import app
from rootstock.errors import Conflict, NotFound
from rootstock.jobs.models import FINAL_STATES, Job, JobState
from rootstock.lanes import wire

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=settings.JOB_LEASE_S)
MAX_ATTEMPTS = 5
_REDISPATCH_AFTER = timedelta(seconds=60)


def job_create(
    *,
    organisation: Organisation | UUID,
    kind: str,
    params: dict[str, Any],
    total: int | None = None,
    created_by: User | None = None,
) -> Job:
    """Store a job and queue it once the surrounding transaction has committed."""
    if kind not in settings.JOB_KINDS:
        raise ValueError(f"unknown job kind {kind}: add it to settings.JOB_KINDS")
    with tenant(organisation) as organisation_id:
        job = Job.objects.create(
            organisation_id=organisation_id, kind=kind, params=params, total=total, created_by=created_by
        )
        transaction.on_commit(lambda: job_dispatch(job))
    return job


def job_dispatch(job: Job, *, countdown: float = 0) -> None:
    """Put a queued job on its queue. A broker that is away is no error: the reaper dispatches it later."""
    kind = settings.JOB_KINDS[job.kind]
    with tenant(job.organisation_id):
        now = timezone.now() + timedelta(seconds=countdown)
        Job.objects.filter(pk=job.pk, state=JobState.QUEUED).update(dispatched_at=now)
    try:
        app.send_task(
            kind.task,
            args=[str(job.organisation_id), str(job.pk)],
            queue=kind.queue,
            countdown=countdown or None,
        )
    except OperationalError:
        log.warning("job %s: the broker is away; the reaper will queue it", job.pk)


def job_cancel(*, organisation: Organisation | UUID, job_id: UUID) -> Job:
    """Ask a job to stop. A queued one is cancelled at once; a running one when its worker next looks."""
    with tenant(organisation):
        job = Job.objects.select_for_update().filter(pk=job_id).first()
        if job is None:
            raise NotFound("no such job")
        if job.is_final:
            raise Conflict(
                f"the job has already {job.state}" if job.state != "cancelled" else "already cancelled"
            )
        job.cancel_requested = True
        if job.state == JobState.QUEUED:
            job.state, job.finished_at = JobState.CANCELLED, timezone.now()
        job.save(update_fields=["cancel_requested", "state", "finished_at"])
    return job


def job_claim(*, organisation: UUID, job_id: UUID) -> Job | None:
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
                error=None,
            )
        )
        return Job.objects.select_related("organisation").get(pk=job_id) if claimed else None


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
) -> bool:
    """End a job as its owner. False when the lease has passed to another."""
    fields: dict[str, Any] = {"state": state, "result": result, "error": error, "lease_until": None}
    if state in FINAL_STATES:
        fields["finished_at"] = timezone.now()
    with tenant(organisation):
        return Job.objects.filter(pk=job_id, fence=fence, state=JobState.RUNNING).update(**fields) == 1


def job_retry_later(job: Job, *, error: dict[str, Any]) -> None:
    """Give a job back after a passing fault, with back-off."""
    finished = job_finish(
        organisation=job.organisation_id, job_id=job.pk, fence=job.fence, state=JobState.QUEUED, error=error
    )
    if finished:
        job_dispatch(job, countdown=2.0**job.attempts)


def jobs_reap() -> int:
    """Queue again what dead workers left behind and what the broker lost. Returns how many were taken up."""
    now = timezone.now()
    expired = Q(state=JobState.RUNNING, lease_until__lt=now)
    lost = Q(state=JobState.QUEUED) & (
        Q(dispatched_at__isnull=True, created_at__lt=now - _REDISPATCH_AFTER)
        | Q(dispatched_at__lt=now - _REDISPATCH_AFTER)
    )
    with transaction.atomic():
        set_local("rootstock.system", "reaper")
        found = list(Job.objects.filter(expired | lost)[:200])
        set_local("rootstock.system", "")
    empty = _empty_queues({job.kind for job in found if job.state == JobState.QUEUED})
    return sum(
        _reap(job)
        for job in found
        if job.state == JobState.RUNNING or settings.JOB_KINDS[job.kind].queue in empty
    )


def _empty_queues(kinds: Iterable[str]) -> set[str]:
    """Of these kinds' queues, those where nothing waits: where something does, a queued job may just be waiting."""
    queues = {settings.JOB_KINDS[kind].queue for kind in kinds}
    try:
        with wire.connect() as broker:
            return {queue for queue in queues if not broker.llen(queue)}
    except redis.RedisError:
        return set()


def _reap(job: Job) -> bool:
    if job.state == JobState.QUEUED:
        job_dispatch(job)
        return True
    ending = _end_of_abandoned(job)
    if not job_finish(organisation=job.organisation_id, job_id=job.pk, fence=job.fence, **ending):
        return False
    log.warning("job %s (%s): its worker is gone after attempt %d", job.pk, job.kind, job.attempts)
    if ending["state"] == JobState.QUEUED:
        job_dispatch(job)
    return True


def _end_of_abandoned(job: Job) -> dict[str, Any]:
    if job.cancel_requested:
        return {"state": JobState.CANCELLED}
    if job.attempts >= MAX_ATTEMPTS:
        detail = f"its worker died {job.attempts} times while running it"
        return {"state": JobState.FAILED, "error": {"code": "worker_lost", "detail": detail, "errors": []}}
    return {"state": JobState.QUEUED}
