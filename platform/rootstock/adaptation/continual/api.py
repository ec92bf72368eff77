"""REST: plans of continual adaptation, and their runs."""

from typing import Any
from uuid import UUID

from ninja import Router, Status

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.adaptation.continual import plans, runs, selectors
from rootstock.adaptation.continual.schemas import (
    ContinualChange,
    ContinualIn,
    ContinualOut,
    ContinualRunOut,
    plan_out,
    run_out,
)
from rootstock.paging import Page, page_of

router = Router(tags=["continual"])
READ, WRITE = "adapters:read", "adapters:write"


@router.get("", response=Page[ContinualOut], auth=scope(READ))
def list_continual_plans(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Plans, the newest first."""
    rows, following = selectors.plans_page(organisation=request.auth.organisation, cursor=cursor, limit=limit)
    return page_of(rows, following, plan_out)


@router.post("", response={201: ContinualOut}, auth=scope(WRITE))
def create_continual_plan(request: ApiRequest, payload: ContinualIn) -> Status[ContinualOut]:
    """Let an alias learn by the clock. What is better is put forward in your name, so that somebody else agrees.

    A run takes the training data sets called `collection` that are new, replays what was learned before, goes on from
    what the alias serves, and measures both on the test set and the guards. 403 for a key that no person stands behind.
    """
    plan = plans.plan_create(organisation=request.auth.organisation, **payload.wanted())
    return Status(201, plan_out(plan))


@router.get("/{uuid:plan_id}", response=ContinualOut, auth=scope(READ))
def get_continual_plan(request: ApiRequest, plan_id: UUID) -> ContinualOut:
    """One plan."""
    return plan_out(selectors.plan_get(organisation=request.auth.organisation, plan_id=plan_id))


@router.patch("/{uuid:plan_id}", response=ContinualOut, auth=scope(WRITE))
def change_continual_plan(request: ApiRequest, plan_id: UUID, payload: ContinualChange) -> ContinualOut:
    """Change a plan; a run that goes on keeps its terms. From now on what it proposes is in your name."""
    organisation = request.auth.organisation
    now = selectors.plan_get(organisation=organisation, plan_id=plan_id)
    changed = payload.wanted(now) | {"version": payload.version or now.version}
    return plan_out(plans.plan_update(organisation=organisation, plan_id=plan_id, **changed))


@router.delete("/{uuid:plan_id}", response={204: None}, auth=scope(WRITE))
def delete_continual_plan(request: ApiRequest, plan_id: UUID) -> Status[None]:
    """Remove a plan with its runs; versions, data sets and promotions stay. 409 while a run goes on."""
    plans.plan_delete(organisation=request.auth.organisation, plan_id=plan_id)
    return Status(204, None)


@router.post("/{uuid:plan_id}/pause", response=ContinualOut, auth=scope(WRITE))
def pause_continual_plan(request: ApiRequest, plan_id: UUID) -> ContinualOut:
    """Begin no more runs; one that goes on goes on."""
    organisation = request.auth.organisation
    return plan_out(plans.plan_pause(organisation=organisation, plan_id=plan_id, paused=True))


@router.post("/{uuid:plan_id}/resume", response=ContinualOut, auth=scope(WRITE))
def resume_continual_plan(request: ApiRequest, plan_id: UUID) -> ContinualOut:
    """Go on with its next time; what fell due in between is not made up for."""
    organisation = request.auth.organisation
    return plan_out(plans.plan_pause(organisation=organisation, plan_id=plan_id, paused=False))


@router.post("/{uuid:plan_id}/run", response={202: ContinualRunOut}, auth=scope(WRITE))
def run_continual_plan(request: ApiRequest, plan_id: UUID) -> Status[ContinualRunOut]:
    """Begin a run now, beside the plan's times. 409 while one goes on, and while a promotion of the alias waits."""
    organisation = request.auth.organisation
    run = runs.run_start(organisation=organisation, plan_id=plan_id)
    return Status(202, _told(request, run.pk))


@router.get("/{uuid:plan_id}/runs", response=Page[ContinualRunOut], auth=scope(READ))
def list_continual_runs(
    request: ApiRequest, plan_id: UUID, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """A plan's runs with their forgetting reports, the newest first."""
    rows, following = selectors.runs_page(
        organisation=request.auth.organisation, plan_id=plan_id, cursor=cursor, limit=limit
    )
    return page_of(rows, following, run_out)


@router.get("/runs/{uuid:run_id}", response=ContinualRunOut, auth=scope(READ))
def get_continual_run(request: ApiRequest, run_id: UUID) -> ContinualRunOut:
    """One run with its forgetting report."""
    return _told(request, run_id)


def _told(request: ApiRequest, run_id: UUID) -> ContinualRunOut:
    return run_out(selectors.run_get(organisation=request.auth.organisation, run_id=run_id))
