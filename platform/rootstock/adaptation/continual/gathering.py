"""Which data sets a run learns from: what is newly labelled, and what was learned before."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from rootstock.adaptation.continual.models import LEARNED, ContinualPlan, ContinualRun
from rootstock.registry.datasets.reading import MAX_BYTES, MAX_ROWS
from rootstock.registry.models import AdapterVersion, Dataset

ROLES = ("dataset", "mix", "replay")  # of a training's data sets: those that it learns from
MOST_PARENTS = 200


def chosen(plan: ContinualPlan, production: AdapterVersion) -> tuple[list[str], list[str]]:
    """The ids of what is new and of what was learned before, each as far as one data set can hold it.

    New is what neither an earlier run that came to its end nor what serves, nor what that was made from, has learned
    from. Call it inside `tenant()`.
    """
    learned = _learned_by(production)
    for fresh in ContinualRun.objects.filter(plan=plan, state__in=LEARNED).values_list("fresh", flat=True):
        learned |= {UUID(one) for one in fresh}
    learned |= _pruned_from(learned)
    there = Dataset.objects.filter(task=plan.task, is_test=False, erased_at=None).exclude(file=None)
    there = there.exclude(children__file__isnull=False)  # what was dropped from it is not learned
    new = there.filter(name=plan.collection).exclude(pk__in=learned).order_by("pk")
    earlier = there.filter(pk__in=learned).order_by("-pk")
    return list(_fitting(new)), list(_fitting(earlier))


def _learned_by(version: AdapterVersion | None) -> set[UUID]:
    """Data sets that a version and those before it learned from."""
    found: set[UUID] = set()
    for _ in range(MOST_PARENTS):
        if version is None:
            break
        if version.dataset_id:
            found.add(version.dataset_id)
        params = version.job.params if version.job else {}
        found |= {UUID(params[role]) for role in ROLES if params.get(role)}
        version = version.parent
    return found


def _pruned_from(learned: set[UUID]) -> set[UUID]:
    """What is left of learned data sets whose examples were dropped in part."""
    found: set[UUID] = set()
    while new := set(Dataset.objects.filter(parent__in=learned | found).values_list("pk", flat=True)) - found:
        found |= new
    return found


def _fitting(datasets: Iterable[Dataset]) -> Iterator[str]:
    """The first of them that fit into one; what does not fit is left for the next run."""
    rows = size = 0
    for one in datasets:
        rows, size = rows + one.rows, size + one.bytes
        if rows > MAX_ROWS or size > MAX_BYTES:
            return
        yield str(one.pk)
