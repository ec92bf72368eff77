"""The reaper: takes up what dead workers left behind, and wakes workers for what the broker lost."""

import logging

from django.conf import settings
from django.utils import timezone

from rootstock.accounts.tenancy import every_tenant, tenant
from rootstock.errors import DomainError
from rootstock.jobs.claiming import wake_where_idle
from rootstock.jobs.models import Job, JobState
from rootstock.jobs.ownership import job_finish, job_requeue, owner_of
from rootstock.jobs.retry import failed_attempt, kind_of

log = logging.getLogger(__name__)


class WorkerLost(DomainError):
    """The worker ended while it ran the job."""

    code = "worker_lost"
    permanent = False


def jobs_reap() -> int:
    """Queue again what dead workers left behind, then wake idle queues. Returns how many jobs were taken up."""
    with every_tenant("reaper"):
        expired = Job.objects.filter(state=JobState.RUNNING, lease_until__lt=timezone.now())
        found = list(expired.order_by("lease_until")[:500])
    taken = sum(_reap(job) for job in found)
    wake_where_idle({kind.queue for kind in settings.JOB_KINDS.values()})
    return taken


def _reap(found: Job) -> bool:
    with tenant(found.organisation_id):
        waiting = Job.objects.filter(
            pk=found.pk, fence=found.fence, state=JobState.RUNNING, lease_until__lt=timezone.now()
        )
        job = waiting.select_for_update(skip_locked=True).first()  # locked: its owner lives, or another reaps
        return job is not None and _give_back(job)


def _give_back(job: Job) -> bool:
    log.warning("job %s (%s): its worker is gone in attempt %d", job.pk, job.kind, job.attempts)
    lost = WorkerLost("the worker that ran it ended or lost touch; it may have been stopped or killed")
    failed, limit = failed_attempt(job, lost.code, lost.detail), kind_of(job.kind).max_attempts
    if job.cancel_requested:
        return job_finish(**owner_of(job), state=JobState.CANCELLED, failed=failed)
    if job.attempts >= limit:
        lost = WorkerLost(f"its worker died {job.attempts} times while running it")
        return job_finish(**owner_of(job), state=JobState.FAILED, error=lost.as_dict(), failed=failed)
    return job_requeue(job, failed=failed, error=lost.as_dict(), delay_s=0, of=limit)
