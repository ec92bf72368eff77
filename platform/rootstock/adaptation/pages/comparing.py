"""Several trainings over each other: curves, what their settings say differently, final figures."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.adaptation import selectors
from rootstock.adaptation.comparison import MOST_RUNS, Run, curves_of, differences, figures_of, runs_of
from rootstock.console.tables.actions import selected_ids
from rootstock.errors import InvalidInput
from rootstock.registry.pages.common import READ, rights

OFFERED = 60


@require_POST
@tenant_page(READ)
def chosen(request: PageRequest) -> HttpResponse:
    """The rows that were ticked in the list, as an address that can be kept."""
    runs = [("run", str(one)) for one in selected_ids(request)[:MOST_RUNS]]
    return redirect(f"{reverse('trainings-compare')}?{urlencode(runs)}")


@require_GET
@tenant_page(READ)
def compare(request: PageRequest) -> HttpResponse:
    """The runs that the address names, two to six of them."""
    problem, runs = "", list[Run]()
    try:
        runs = _runs(request)
    except InvalidInput as error:
        problem = error.detail
    context: dict[str, Any] = {
        "tab": "compare", "runs": runs, "problem": problem, "offered": _offered(request, runs),
        **rights(request),
    }  # fmt: skip
    if len(runs) > 1:
        context |= {
            "charts": curves_of(runs), "differences": differences(runs), "figures": figures_of(runs),
        }  # fmt: skip
    return render(request, "adaptation/compare.html", context, status=422 if problem else 200)


def _runs(request: PageRequest) -> list[Run]:
    given = list(dict.fromkeys(request.GET.getlist("run")))
    if len(given) > MOST_RUNS:
        raise InvalidInput.field("run", f"choose at most {MOST_RUNS} trainings")
    try:
        ids = [UUID(one) for one in given]
    except ValueError:
        raise InvalidInput.field("run", "is not a training") from None
    jobs = selectors.trainings_get(organisation=request.organisation, job_ids=ids)
    return runs_of(request.organisation, jobs)


def _offered(request: PageRequest, runs: list[Run]) -> list[dict[str, Any]]:
    """The newest trainings to choose from, those that are shown among them."""
    shown = {run.job.pk for run in runs}
    newest = selectors.newest_trainings(organisation=request.organisation, most=OFFERED)
    jobs = {job.pk: job for job in [*(run.job for run in runs), *newest]}
    return [
        {"job": job, "name": job.params.get("name", ""), "shown": pk in shown} for pk, job in jobs.items()
    ]
