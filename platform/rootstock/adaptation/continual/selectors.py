"""Reads of plans and their runs."""

from uuid import UUID

from django.db.models import OuterRef, Prefetch, QuerySet, Subquery

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.continual.models import ContinualMeasure, ContinualPlan, ContinualRun
from rootstock.errors import NotFound
from rootstock.paging import take_page
from rootstock.registry.models import Alias, Dataset

MOST = 500


def plans() -> "QuerySet[ContinualPlan]":
    """All of them, each with the state of its newest run. Read it inside `tenant()`."""
    newest = ContinualRun.objects.filter(plan=OuterRef("pk")).order_by("-number")
    rows = ContinualPlan.objects.select_related("alias__current__base")
    return rows.annotate(
        last_state=Subquery(newest.values("state")[:1]), last_run=Subquery(newest.values("pk")[:1])
    )


def plans_page(
    *, organisation: Organisation, cursor: str | None, limit: int
) -> tuple[list[ContinualPlan], str | None]:
    """A page of plans, the newest first."""
    with tenant(organisation):
        return take_page(plans(), cursor=cursor, limit=limit)


def plan_get(*, organisation: Organisation, plan_id: UUID) -> ContinualPlan:
    """One plan."""
    with tenant(organisation):
        found = plans().filter(pk=plan_id).first()
    if found is None:
        raise NotFound("no such plan")
    return found


def runs(plan_id: UUID) -> "QuerySet[ContinualRun]":
    """A plan's. Read it inside `tenant()`."""
    return _runs().filter(plan=plan_id)


def runs_page(
    *, organisation: Organisation, plan_id: UUID, cursor: str | None, limit: int
) -> tuple[list[ContinualRun], str | None]:
    """A page of a plan's runs, the newest first."""
    plan_get(organisation=organisation, plan_id=plan_id)
    with tenant(organisation):
        return take_page(runs(plan_id), cursor=cursor, limit=limit)


def run_get(*, organisation: Organisation, run_id: UUID) -> ContinualRun:
    """One run, with what it measured."""
    with tenant(organisation):
        found = _runs().filter(pk=run_id).first()
    if found is None:
        raise NotFound("no such run")
    return found


def _runs() -> "QuerySet[ContinualRun]":
    """With what they measured, the deciding set first."""
    measured = ContinualMeasure.objects.select_related("dataset").order_by("is_guard", "pk")
    rows = ContinualRun.objects.select_related(
        "plan__alias", "dataset", "replay", "version", "production", "promotion", "training"
    )
    return rows.prefetch_related(Prefetch("measures", measured))


def datasets_of(*, organisation: Organisation | UUID, ids: list[str]) -> list[Dataset]:
    """Data sets that a run chose, as far as they are still there."""
    with tenant(organisation):
        return list(Dataset.objects.filter(pk__in=ids).order_by("pk"))


def aliases_to_choose(*, organisation: Organisation, of: ContinualPlan | None = None) -> list[Alias]:
    """Those that a plan can be set up for, and that of the plan itself, by name."""
    with tenant(organisation):
        others = ContinualPlan.objects.exclude(pk=of.pk) if of else ContinualPlan.objects.all()
        taken = others.values("alias")
        return list(Alias.objects.exclude(pk__in=taken).select_related("current").order_by("name")[:MOST])


def collections(*, organisation: Organisation) -> list[tuple[str, str]]:
    """Names of training data sets with their task, by name."""
    with tenant(organisation):
        rows = Dataset.objects.filter(is_test=False, erased_at=None).exclude(file=None)
        return list(rows.values_list("name", "task").distinct().order_by("name", "task")[:MOST])


def test_sets(*, organisation: Organisation) -> list[Dataset]:
    """Frozen test sets whose content is there, the newest first."""
    with tenant(organisation):
        rows = Dataset.objects.filter(is_test=True, erased_at=None).exclude(file=None)
        return list(rows.order_by("-pk")[:MOST])
