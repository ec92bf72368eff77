"""REST: jobs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Router, Schema
from pydantic import Field

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.jobs import selectors, services
from rootstock.jobs.models import Job, JobEvent
from rootstock.paging import Page, page_of

router = Router(tags=["jobs"])


class JobOut(Schema):
    """A job as callers see it."""

    id: UUID
    kind: str
    state: str
    done: int
    total: int | None
    message: str
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobEventOut(Schema):
    """An event of a job; `id` counts them within the job, and resumes behind it."""

    id: int = Field(alias="sequence")
    type: str
    data: dict[str, Any]
    at: datetime


@router.get("", response=Page[JobOut], auth=scope("jobs:read"))
def list_jobs(
    request: ApiRequest,
    cursor: str | None = None,
    limit: int = 50,
    state: str | None = None,
    kind: str | None = None,
) -> dict[str, Any]:
    """Jobs, newest first."""
    organisation = request.auth.organisation
    rows, following = selectors.jobs_page(
        organisation=organisation, cursor=cursor, limit=limit, state=state, kind=kind
    )
    return page_of(rows, following, JobOut.from_orm)


@router.get("/{uuid:job_id}", response=JobOut, auth=scope("jobs:read"))
def get_job(request: ApiRequest, job_id: UUID) -> Job:
    """One job."""
    return selectors.job_get(organisation=request.auth.organisation, job_id=job_id)


@router.get("/{uuid:job_id}/events", response=list[JobEventOut], auth=scope("jobs:read"))
def get_job_events(request: ApiRequest, job_id: UUID, after: int = 0, limit: int = 500) -> list[JobEvent]:
    """A job's events, oldest first; `after` resumes behind the last one seen."""
    organisation = request.auth.organisation
    selectors.job_get(organisation=organisation, job_id=job_id)
    return selectors.job_events(
        organisation=organisation, job_id=job_id, after=after, limit=max(1, min(limit, 1000))
    )


@router.post("/{uuid:job_id}/cancel", response=JobOut, auth=scope("jobs:write"))
def cancel_job(request: ApiRequest, job_id: UUID) -> Job:
    """Ask a job to stop."""
    return services.job_cancel(organisation=request.auth.organisation, job_id=job_id)
