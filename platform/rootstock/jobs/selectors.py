"""Reads of jobs."""

from uuid import UUID

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput, NotFound
from rootstock.jobs.models import Job, JobEvent, JobState
from rootstock.paging import take_page


def jobs_page(
    *,
    organisation: Organisation | UUID,
    cursor: str | None = None,
    limit: int = 50,
    state: str | None = None,
    kind: str | None = None,
) -> tuple[list[Job], str | None]:
    """A page of jobs, newest first."""
    if state and state not in JobState.values:
        raise InvalidInput.field("state", f"must be one of {', '.join(JobState.values)}")
    with tenant(organisation):
        found = Job.objects.select_related("created_by")
        if state:
            found = found.filter(state=state)
        if kind:
            found = found.filter(kind=kind)
        return take_page(found, cursor=cursor, limit=limit)


def job_get(*, organisation: Organisation | UUID, job_id: UUID) -> Job:
    """One job."""
    with tenant(organisation):
        job = Job.objects.select_related("created_by").filter(pk=job_id).first()
    if job is None:
        raise NotFound("no such job")
    return job


def job_events(
    *, organisation: Organisation | UUID, job_id: UUID, after: UUID | None = None, limit: int = 500
) -> list[JobEvent]:
    """A job's events in order, from the one after `after`."""
    with tenant(organisation):
        found = JobEvent.objects.filter(job_id=job_id).order_by("id")
        return list((found.filter(id__gt=after) if after else found)[:limit])
