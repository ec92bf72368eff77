"""REST: rules on history, and in the shadow of those in force."""

from typing import Any
from uuid import UUID

from ninja import Router, Status

from apps.fraud.rules import moving
from apps.fraud.rules.schemas import RulesBecauseIn, RulesInForceOut, RulesRequestIn, in_force_out
from apps.fraud.rules.shadow import shadow_compare
from apps.fraud.rules.trial_schemas import BacktestIn, BacktestOut, ShadowOut
from apps.fraud.rules.trials import Wanted, backtest_get, backtest_submit
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.jobs.models import Job

router = Router(tags=["fraud rules"])
READ, WRITE = "fraud:read", "fraud:rules"


def _told(job: Job) -> dict[str, Any]:
    return {"job": job, "result": job.result if job.state == "succeeded" else None}


@router.post("/backtests", response={202: BacktestOut}, auth=scope(WRITE))
def try_on_history(request: ApiRequest, payload: BacktestIn) -> Status[dict[str, Any]]:
    """Try a version on the payments that have arrived, beside what is in force and the model alone.

    Every payment is seen as it was when it arrived: by payments and labels before it, and by the probability that it
    was decided with. What was fraud is said by the labels that there are now. Lists are left out. The job also finds
    the thresholds that would have cost least.
    """
    job = backtest_submit(
        organisation=request.auth.organisation,
        wanted=Wanted(**payload.model_dump()),
        created_by=request.auth.user,
    )
    return Status(202, _told(job))


@router.get("/backtests/{uuid:job_id}", response=BacktestOut, auth=scope(READ))
def get_backtest(request: ApiRequest, job_id: UUID) -> dict[str, Any]:
    """A back-test: its progress, and its result when it has ended."""
    return _told(backtest_get(organisation=request.auth.organisation, job_id=job_id))


@router.post("/shadow", response=RulesInForceOut, auth=scope(WRITE))
def begin_shadow(request: ApiRequest, payload: RulesRequestIn) -> RulesInForceOut:
    """Try a version beside the one in force: it is worked out for every payment, and decides nothing."""
    row = moving.shadow_set(
        organisation=request.auth.organisation, version=payload.version, reason=payload.reason
    )
    return in_force_out(row)


@router.post("/shadow/end", response=RulesInForceOut, auth=scope(WRITE))
def end_shadow(request: ApiRequest, payload: RulesBecauseIn) -> RulesInForceOut:
    """Try nothing any more; what was counted stays to be read."""
    return in_force_out(
        moving.shadow_set(organisation=request.auth.organisation, version=None, reason=payload.reason)
    )


@router.get("/versions/{int:number}/shadow", response=ShadowOut, auth=scope(READ))
def get_shadow(request: ApiRequest, number: int) -> dict[str, Any]:
    """What decisions would have been with a version while it was in the shadow, and the frauds among them that are
    known now."""
    return shadow_compare(organisation=request.auth.organisation, number=number)
