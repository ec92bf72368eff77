"""What callers do with jobs: create, cancel, run again."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Busy, Conflict, NotFound
from rootstock.jobs import bell
from rootstock.jobs.claiming import wake
from rootstock.jobs.events import CancelRequested, Done
from rootstock.jobs.models import FINAL_STATES, Job, JobSchedule, JobState
from rootstock.jobs.ownership import ended_tell, event_append
from rootstock.jobs.ownership import job_claim as job_claim
from rootstock.jobs.ownership import job_finish as job_finish
from rootstock.jobs.ownership import job_update as job_update
from rootstock.middleware import request_id
from rootstock.privacy.persons import name_of

_FULL_RETRY_S = 30.0


def job_create(
    *,
    organisation: Organisation | UUID,
    kind: str,
    params: dict[str, Any],
    total: int | None = None,
    created_by: User | None = None,
    asked_by: str = "",
    priority: int | None = None,
    schedule: JobSchedule | None = None,
    scheduled_for: datetime | None = None,
    repeats: Job | None = None,
) -> Job:
    """Store a job and wake a worker once the surrounding transaction has committed. asked_by: who, if not the actor.

    Raises Busy when too many of the organisation's jobs wait already.
    """
    if kind not in settings.JOB_KINDS:
        raise ValueError(f"unknown job kind {kind}: add it to settings.JOB_KINDS")
    known = settings.JOB_KINDS[kind]
    with tenant(organisation) as organisation_id:
        _refuse_when_full()
        job = Job.objects.create(
            organisation_id=organisation_id,
            kind=kind,
            queue=known.queue,
            priority=known.priority if priority is None else priority,
            params=params,
            total=total,
            created_by=created_by,
            asked_by=asked_by or name_of(),
            schedule=schedule,
            scheduled_for=scheduled_for,
            repeats=repeats,
            request_id=request_id.get(),
        )
        transaction.on_commit(lambda: wake(known.queue))
    return job


def _refuse_when_full() -> None:
    waiting = Job.objects.filter(state=JobState.QUEUED)[: settings.JOBS_QUEUED].count()
    if waiting >= settings.JOBS_QUEUED:
        raise Busy(
            f"{waiting:,} jobs of this organisation wait already, which is its limit: let some finish or cancel "
            "some, then try again",
            retry_after=_FULL_RETRY_S,
        )


def job_cancel(*, organisation: Organisation | UUID, job_id: UUID) -> Job:
    """Ask a job to stop. A queued one is cancelled at once; a running one when its worker next looks."""
    with tenant(organisation):
        job = _locked(job_id)
        if job.is_final:
            raise Conflict(
                f"the job has already {job.state}" if job.state != "cancelled" else "already cancelled"
            )
        if not job.cancel_requested:
            job.cancel_requested = True
            event_append(job, CancelRequested())
            audit_record(
                organisation=organisation,
                action="job.cancelled",
                object_type="job",
                object_id=job.pk,
                data={"kind": job.kind, "state": job.state},
            )
        if job.state == JobState.QUEUED:
            job.state, job.finished_at = JobState.CANCELLED, timezone.now()
            event_append(job, Done(state="cancelled"))
            ended_tell(job)
        job.save(update_fields=["cancel_requested", "state", "finished_at"])
        bell.ring_on_commit(job, bell.CANCEL)
    return job


def job_run_again(*, organisation: Organisation | UUID, job_id: UUID, created_by: User | None = None) -> Job:
    """Start an ended job anew, with the same parameters. Asked twice, the one that still runs is given back.

    Raises Conflict while the first has not ended, Busy when too many jobs wait. The caller has checked the scope
    of the kind.
    """
    with tenant(organisation):
        job = _locked(job_id)
        if not job.is_final:
            raise Conflict("the job has not ended; cancel it first, or wait")
        if job.kind not in settings.JOB_KINDS:
            raise Conflict(f"jobs of the kind {job.kind} no longer exist")
        if again := job.repeated_by.exclude(state__in=FINAL_STATES).first():
            return again
        again = job_create(
            organisation=organisation,
            kind=job.kind,
            params=job.params,
            total=job.total,
            created_by=created_by,
            priority=job.priority,
            repeats=job,
        )
        audit_record(
            organisation=organisation,
            action="job.run_again",
            object_type="job",
            object_id=job.pk,
            data={"kind": job.kind, "job": str(again.pk)},
        )
    return again


def _locked(job_id: UUID) -> Job:
    job = Job.objects.select_for_update().filter(pk=job_id).first()
    if job is None:
        raise NotFound("no such job")
    return job
