"""REST: jobs."""

from typing import Annotated, Any
from uuid import UUID

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from ninja import Router, Status
from pydantic import Field

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.accounts.models import Organisation
from rootstock.jobs import permissions, schedules, selectors, services
from rootstock.jobs.artefacts import artefact_get, artefact_response
from rootstock.jobs.models import Job, JobArtefact, JobEvent, JobSchedule
from rootstock.jobs.schemas import (
    ArtefactOut,
    JobEventOut,
    JobOut,
    PriorityName,
    ScheduleChange,
    ScheduleIn,
    ScheduleOut,
)
from rootstock.jobs.stream import stream_response
from rootstock.paging import Page, page_of

router = Router(tags=["jobs"])

After = Annotated[int, Field(ge=0)]
Most = Annotated[int, Field(ge=1, le=1000)]


@router.get("", response=Page[JobOut], auth=scope("jobs:read"))
def list_jobs(
    request: ApiRequest,
    cursor: str | None = None,
    limit: int = 50,
    state: str | None = None,
    kind: str | None = None,
    priority: PriorityName | None = None,
) -> dict[str, Any]:
    """Jobs, newest first: those of the kinds whose scope the key has (`fraud:read`, `ehr:read`, …)."""
    wanted: dict[str, Any] = {"state": state, "kind": kind, "priority": priority}
    rows, following = selectors.jobs_page(**_caller(request), cursor=cursor, limit=limit, **wanted)
    return page_of(rows, following, JobOut.from_orm)


@router.get("/schedules", response=list[ScheduleOut], auth=scope("jobs:read"))
def list_schedules(request: ApiRequest) -> list[JobSchedule]:
    """Schedules of the kinds whose scope the key has: the next due first, then the paused."""
    return selectors.schedules(**_caller(request))


@router.post("/schedules", response={201: ScheduleOut}, auth=scope("jobs:write"))
def create_schedule(request: ApiRequest, body: ScheduleIn) -> Status[JobSchedule]:
    """Start a kind of job by the clock. Needs the scope that starting such a job needs.

    Times that pass while nothing runs are made up for once. A run is skipped while the one before has not ended.
    """
    permissions.require_act(request.auth.scopes, body.kind)
    made = schedules.schedule_create(
        organisation=request.auth.organisation, created_by=request.auth.user, **body.wanted()
    )
    return Status(201, made)


@router.get("/schedules/{uuid:schedule_id}", response=ScheduleOut, auth=scope("jobs:read"))
def get_schedule(request: ApiRequest, schedule_id: UUID) -> JobSchedule:
    """One schedule."""
    return selectors.schedule_get(**_caller(request), schedule_id=schedule_id)


@router.patch("/schedules/{uuid:schedule_id}", response=ScheduleOut, auth=scope("jobs:write"))
def change_schedule(request: ApiRequest, schedule_id: UUID, body: ScheduleChange) -> JobSchedule:
    """Change a schedule; the jobs that it started stay as they are."""
    organisation = _may_change(request, schedule_id)
    return schedules.schedule_update(organisation=organisation, schedule_id=schedule_id, **body.wanted())


@router.post("/schedules/{uuid:schedule_id}/pause", response=ScheduleOut, auth=scope("jobs:write"))
def pause_schedule(request: ApiRequest, schedule_id: UUID) -> JobSchedule:
    """Start no more of its jobs; what runs goes on."""
    organisation = _may_change(request, schedule_id)
    return schedules.schedule_pause(organisation=organisation, schedule_id=schedule_id, paused=True)


@router.post("/schedules/{uuid:schedule_id}/resume", response=ScheduleOut, auth=scope("jobs:write"))
def resume_schedule(request: ApiRequest, schedule_id: UUID) -> JobSchedule:
    """Go on with its next time; what fell due in between is not made up for."""
    organisation = _may_change(request, schedule_id)
    return schedules.schedule_pause(organisation=organisation, schedule_id=schedule_id, paused=False)


@router.post("/schedules/{uuid:schedule_id}/run", response={202: JobOut}, auth=scope("jobs:write"))
def run_schedule(request: ApiRequest, schedule_id: UUID) -> Status[Job]:
    """Start its job now, beside its times. Needs the scope that starting such a job needs."""
    organisation = _may_change(request, schedule_id)
    job = schedules.schedule_run_now(
        organisation=organisation, schedule_id=schedule_id, created_by=request.auth.user
    )
    return Status(202, job)


@router.delete("/schedules/{uuid:schedule_id}", response={204: None}, auth=scope("jobs:write"))
def delete_schedule(request: ApiRequest, schedule_id: UUID) -> Status[None]:
    """Remove a schedule; the jobs that it started stay."""
    schedules.schedule_delete(organisation=_may_change(request, schedule_id), schedule_id=schedule_id)
    return Status(204, None)


@router.get("/{uuid:job_id}", response=JobOut, auth=scope("jobs:read"))
def get_job(request: ApiRequest, job_id: UUID) -> Job:
    """One job."""
    return selectors.job_get(**_caller(request), job_id=job_id)


@router.get("/{uuid:job_id}/events", response=list[JobEventOut], auth=scope("jobs:read"))
def get_job_events(request: ApiRequest, job_id: UUID, after: After = 0, limit: Most = 500) -> list[JobEvent]:
    """A job's events, oldest first; `after` resumes behind the id of the last one seen."""
    organisation = selectors.job_get(**_caller(request), job_id=job_id).organisation_id
    return selectors.job_events(organisation=organisation, job_id=job_id, after=after, limit=limit)


@router.get("/{uuid:job_id}/stream", auth=scope("jobs:read"))
def stream_job(
    request: ApiRequest, job_id: UUID, after: int | None = None
) -> HttpResponse | StreamingHttpResponse:
    """A job as server-sent events: `progress` at once and whenever it changes, and every event of the list.

    `Last-Event-ID` (or `?after=`) goes on behind an event. The stream ends after `done`, or after a quarter of an hour:
    then come back with the last id. 204 says that all of it has been read.
    """
    job = selectors.job_get(**_caller(request), job_id=job_id)
    return stream_response(request, job)


@router.get("/{uuid:job_id}/artefacts", response=list[ArtefactOut], auth=scope("jobs:read"))
def list_artefacts(request: ApiRequest, job_id: UUID) -> list[JobArtefact]:
    """The files that a job made."""
    organisation = selectors.job_get(**_caller(request), job_id=job_id).organisation_id
    return selectors.job_artefacts(organisation=organisation, job_id=job_id)


@router.get("/{uuid:job_id}/artefacts/{uuid:artefact_id}", auth=scope("jobs:read"))
def download_artefact(request: ApiRequest, job_id: UUID, artefact_id: UUID) -> FileResponse:
    """Download one; its ETag is its SHA-256."""
    organisation = selectors.job_get(**_caller(request), job_id=job_id).organisation_id
    return artefact_response(artefact_get(organisation=organisation, job_id=job_id, artefact_id=artefact_id))


@router.post("/{uuid:job_id}/cancel", response=JobOut, auth=scope("jobs:write"))
def cancel_job(request: ApiRequest, job_id: UUID) -> Job:
    """Ask a job to stop. Needs the scope that starting such a job needs."""
    return services.job_cancel(organisation=_may_act(request, job_id), job_id=job_id)


@router.post("/{uuid:job_id}/run-again", response={202: JobOut}, auth=scope("jobs:read"))
def run_job_again(request: ApiRequest, job_id: UUID) -> Status[Job]:
    """Start an ended job anew with the same parameters. Needs the scope that starting such a job needs.

    Asked again while the new one has not ended, the answer is that one.
    """
    organisation = _may_act(request, job_id)
    again = services.job_run_again(organisation=organisation, job_id=job_id, created_by=request.auth.user)
    return Status(202, again)


def _caller(request: ApiRequest) -> dict[str, Any]:
    return {"organisation": request.auth.organisation, "scopes": request.auth.scopes}


def _may_act(request: ApiRequest, job_id: UUID) -> Organisation:
    """The organisation of a job that the caller may cancel and repeat."""
    job = selectors.job_get(**_caller(request), job_id=job_id)
    permissions.require_act(request.auth.scopes, job.kind)
    return request.auth.organisation


def _may_change(request: ApiRequest, schedule_id: UUID) -> Organisation:
    """The organisation of a schedule that the caller may change."""
    found = selectors.schedule_get(**_caller(request), schedule_id=schedule_id)
    permissions.require_act(request.auth.scopes, found.kind)
    return request.auth.organisation
