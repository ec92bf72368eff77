"""Runs: begun by the clock or by hand, and ended. What happens between is in `advance`."""

from uuid import UUID

from django.db.models import Max
from django.utils import timezone as clock

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import every_tenant, tenant
from rootstock.adaptation.continual.checks import may_still
from rootstock.adaptation.continual.gathering import chosen
from rootstock.adaptation.continual.models import OPEN_RUNS, ContinualPlan, ContinualRun, RunState
from rootstock.adaptation.continual.plans import next_time, plan_audit, plan_locked
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput
from rootstock.registry.models import Change, Promotion

PART = "continual"  # of the system, for policies
MOST = 200


def run_start(*, organisation: Organisation | UUID, plan_id: UUID) -> ContinualRun:
    """Begin a run now, beside the plan's times. Raises Conflict where one cannot begin."""
    with tenant(organisation):
        plan = plan_locked(plan_id)
        if why := _hindered(plan):
            raise Conflict(why)
        run = _begun(plan)
        plan_audit(plan, "run", run=str(run.pk))
    return run


def plans_run() -> int:
    """Begin what is due. Times that passed while nothing ran are made up for once, not once each."""
    with every_tenant(PART):
        rows = ContinualPlan.objects.filter(next_run_at__lte=clock.now()).order_by("next_run_at")
        due = list(rows[:MOST])
    return sum(_run_due(found) for found in due)


def _run_due(found: ContinualPlan) -> bool:
    """One transaction: the run and the plan's next time are written together, or neither."""
    with tenant(found.organisation_id):
        mine = ContinualPlan.objects.filter(pk=found.pk, next_run_at=found.next_run_at)
        if mine.select_for_update(skip_locked=True).first() is None:
            return False
        plan = plan_locked(found.pk)
        why = _hindered(plan)
        plan.note = f"Not started: {why}." if why else ""
        try:
            plan.next_run_at = next_time(plan, clock.now())
        except InvalidInput:  # it never comes again
            plan.next_run_at = None
        plan.save(update_fields=["next_run_at", "note"])
        if not why:
            _begun(plan)
    return not why


def _hindered(plan: ContinualPlan) -> str:
    """Why no run can begin; empty when one can."""
    if plan.runs.filter(state__in=OPEN_RUNS).exists():
        return "the run before has not ended"
    waiting = Promotion.objects.filter(alias=plan.alias.name, change=Change.SERVE, state=Promotion.State.OPEN)
    if waiting.exists():
        return f"a promotion to {plan.alias.name} waits for a second person"
    if not may_still(plan.made_by):
        return "who set the plan up may no longer train adapters; somebody who may has to change it"
    return ""


def _begun(plan: ContinualPlan) -> ContinualRun:
    production = plan.alias.current
    fresh, earlier = chosen(plan, production)
    number = (plan.runs.aggregate(last=Max("number"))["last"] or 0) + 1
    return ContinualRun.objects.create(
        organisation_id=plan.organisation_id, plan=plan, number=number, collection=plan.collection,
        terms=plan.terms, asked_by=plan.made_by, production=production, fresh=fresh, earlier=earlier,
    )  # fmt: skip


def run_end(run: ContinualRun, state: RunState, reason: str) -> None:
    """Its last step, in the transaction that holds its row."""
    run.state, run.reason, run.note, run.finished_at = state, reason[:500], "", clock.now()
    run.save()
    told = {
        "plan": str(run.plan_id),
        "adapter": run.version.reference if run.version else "",
        "promotion": str(run.promotion_id or ""),
    }
    audit_record(
        organisation=run.organisation_id,
        action=f"continual_run.{state}",
        object_type="continual_run",
        object_id=run.pk,
        data=told,
    )
