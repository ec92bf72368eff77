"""/v1/fine_tuning/jobs: trainings in OpenAI's words."""

from typing import Any

from ninja import Router

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation import selectors
from rootstock.adaptation.openai import ids
from rootstock.adaptation.openai.asking import fine_tuning_create
from rootstock.adaptation.openai.paging import Limit, listed
from rootstock.adaptation.openai.schemas import (
    Checkpoints,
    Events,
    FineTuningIn,
    FineTuningJob,
    FineTuningJobs,
)
from rootstock.adaptation.openai.telling import checkpoint_told, event_told, jobs_told
from rootstock.adaptation.services import KIND
from rootstock.errors import NotFound
from rootstock.idempotency.marks import claims_first
from rootstock.jobs.models import Job, JobEvent
from rootstock.jobs.services import job_cancel

router = Router(tags=["fine-tuning"])


@router.post("/fine_tuning/jobs", response=FineTuningJob, auth=scope("adapters:write"))
@claims_first
def create_job(request: ApiRequest, body: FineTuningIn) -> dict[str, Any]:
    """Train an adapter on the file's examples; needs `files:read` too. `fine_tuned_model` can be used as `model` as
    soon as the job has succeeded, by whoever has `adapters:write`; by others once a second person has agreed."""
    request.auth.require("files:read")
    organisation = request.auth.organisation
    job = fine_tuning_create(organisation=organisation, body=body, created_by=request.auth.user)
    return _one(organisation, job)


@router.get("/fine_tuning/jobs", response=FineTuningJobs, auth=scope("adapters:read"))
def list_jobs(request: ApiRequest, after: str | None = None, limit: Limit = 20) -> dict[str, Any]:
    """Trainings of adapters, the newest first, however they were started."""
    organisation = request.auth.organisation
    behind = ids.read(ids.JOB, after, "after") if after else None
    with tenant(organisation):
        rows = selectors.trainings([KIND])
        rows = rows.filter(pk__lt=behind) if behind else rows
        found = list(rows.order_by("-pk")[: limit + 1])
    told = iter(jobs_told(organisation, found[:limit]))
    return listed(found, limit, lambda _: next(told))


@router.get("/fine_tuning/jobs/{job_id}", response=FineTuningJob, auth=scope("adapters:read"))
def retrieve_job(request: ApiRequest, job_id: str) -> dict[str, Any]:
    """One of them."""
    return _one(request.auth.organisation, _named(request, job_id))


@router.post("/fine_tuning/jobs/{job_id}/cancel", response=FineTuningJob, auth=scope("adapters:write"))
def cancel_job(request: ApiRequest, job_id: str) -> dict[str, Any]:
    """Stop it: its process ends, and nothing is registered. 409 once it has ended."""
    organisation = request.auth.organisation
    return _one(organisation, job_cancel(organisation=organisation, job_id=_named(request, job_id).pk))


@router.get("/fine_tuning/jobs/{job_id}/events", response=Events, auth=scope("adapters:read"))
def list_events(
    request: ApiRequest, job_id: str, after: str | None = None, limit: Limit = 20
) -> dict[str, Any]:
    """What happened, the newest first."""
    job = _named(request, job_id)
    with tenant(job.organisation_id):
        rows = JobEvent.objects.filter(job=job).order_by("-sequence")
        if after:
            behind = rows.filter(pk=ids.read(ids.EVENT, after, "after")).first()
            if behind is None:
                raise ids.missing("after", after)
            rows = rows.filter(sequence__lt=behind.sequence)
        return listed(list(rows[: limit + 1]), limit, event_told)


@router.get("/fine_tuning/jobs/{job_id}/checkpoints", response=Checkpoints, auth=scope("adapters:read"))
def list_checkpoints(
    request: ApiRequest, job_id: str, after: str | None = None, limit: Limit = 10
) -> dict[str, Any]:
    """The states that can be used as models: of a training the best is kept, so there is one once it has ended."""
    job = _named(request, job_id)
    found = checkpoint_told(job)
    if after and (found is None or after != found["id"]):
        raise ids.missing("after", after)
    return listed([found] if found and not after else [], limit, lambda one: one)


def _named(request: ApiRequest, text: str) -> Job:
    try:
        job_id = ids.read(ids.JOB, text, "fine_tuning_job_id")
        job = selectors.training_get(organisation=request.auth.organisation, job_id=job_id)
    except NotFound:
        raise ids.missing("fine_tuning_job_id", text) from None
    if job.kind != KIND:
        raise ids.missing("fine_tuning_job_id", text)
    return job


def _one(organisation: Organisation, job: Job) -> dict[str, Any]:
    return jobs_told(organisation, [job])[0]
