"""Writes on plans: set up, changed, paused, deleted. Each is audited in its own transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone as clock

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.continual.checks import check_plan, person_asking
from rootstock.adaptation.continual.models import OPEN_RUNS, ContinualPlan
from rootstock.adaptation.continual.terms import Terms
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, NotFound
from rootstock.jobs.cron import next_run
from rootstock.registry.moving import alias_locked


def plan_create(
    *,
    organisation: Organisation,
    alias: str,
    collection: str,
    terms: Terms,
    cron: str,
    timezone: str = "UTC",
    task: str = "",
) -> ContinualPlan:
    """Let an alias learn by the clock from data sets called `collection`. Without a task they are for the alias's.

    Raises InvalidInput naming the field, NotFound, Conflict where the alias has a plan, Forbidden for a key that
    nobody is known to stand behind.
    """
    with tenant(organisation) as owner:
        row = alias_locked(alias)
        plan = ContinualPlan(
            organisation_id=owner, alias=row, collection=collection, task=task or row.current.task,
            terms=terms.model_dump(mode="json"), cron=cron, timezone=timezone, made_by=person_asking(),
        )  # fmt: skip
        check_plan(plan)
        plan.next_run_at = next_time(plan, clock.now())
        try:
            with transaction.atomic():
                plan.save(force_insert=True)
        except IntegrityError:
            raise Conflict(f"{alias} has a plan already: change that one") from None
        plan_audit(plan, "created", **_recorded(plan))
    return plan


def plan_update(
    *,
    organisation: Organisation,
    plan_id: UUID,
    version: int | None = None,
    terms: Terms | None = None,
    **changes: Any,
) -> ContinualPlan:
    """Change its collection, task, terms or times. Whoever does so answers for what it proposes from now on.

    A run that goes on keeps the terms that it began with. Raises InvalidInput naming the field, and Conflict when
    somebody changed the plan since `version` was read.
    """
    with tenant(organisation):
        plan = plan_locked(plan_id)
        if version not in (None, plan.version):
            raise Conflict("the plan was changed meanwhile: look at it again, then change it")
        if terms:
            plan.terms = terms.model_dump(mode="json")
        for name in ("collection", "task", "cron", "timezone"):
            setattr(plan, name, changes.get(name) or getattr(plan, name))
        plan.made_by = person_asking()
        check_plan(plan)
        due = next_time(plan, clock.now())
        plan.next_run_at = None if plan.paused else due
        plan.version, plan.note = plan.version + 1, ""
        plan.save()
        plan_audit(plan, "changed", **_recorded(plan))
    return plan


def plan_pause(*, organisation: Organisation, plan_id: UUID, paused: bool) -> ContinualPlan:
    """Stop or go on. What fell due in between is not made up for; a run that goes on is not stopped."""
    with tenant(organisation):
        plan = plan_locked(plan_id)
        if plan.paused != paused:
            plan.next_run_at = None if paused else next_time(plan, clock.now())
            plan.note = ""
            plan.save(update_fields=["next_run_at", "note"])
            plan_audit(plan, "paused" if paused else "resumed")
    return plan


def plan_delete(*, organisation: Organisation, plan_id: UUID) -> None:
    """Remove it with its runs; versions, data sets and promotions stay. Raises Conflict while a run goes on."""
    with tenant(organisation):
        plan = plan_locked(plan_id)
        if plan.runs.filter(state__in=OPEN_RUNS).exists():
            raise Conflict("a run of the plan goes on: cancel its job, or wait for its end")
        plan_audit(plan, "deleted")
        plan.delete()


def plan_locked(plan_id: UUID) -> ContinualPlan:
    """The plan, until the end of the transaction nobody else's. Call it inside `tenant()`."""
    rows = ContinualPlan.objects.select_for_update(of=("self",)).select_related("alias__current__base")
    plan = rows.filter(pk=plan_id).first()
    if plan is None:
        raise NotFound("no such plan")
    return plan


def next_time(plan: ContinualPlan, after: datetime) -> datetime:
    """When it runs next. Raises InvalidInput for times that cannot be."""
    return next_run(cron=plan.cron or "-", every_s=None, timezone=plan.timezone, after=after)


def plan_audit(plan: ContinualPlan, done: str, **data: Any) -> None:
    """Into the trail."""
    audit_record(
        organisation=plan.organisation_id,
        action=f"continual_plan.{done}",
        object_type="continual_plan",
        object_id=plan.pk,
        data={"alias": plan.alias.name, **data},
    )


def _recorded(plan: ContinualPlan) -> dict[str, Any]:
    """For the audit trail, which keeps no text of a person."""
    told = plan.terms | {"settings": plan.said.settings.recorded()}
    return {
        "collection": plan.collection,
        "task": plan.task,
        "cron": plan.cron,
        "timezone": plan.timezone,
        **told,
    }
