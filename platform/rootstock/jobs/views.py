"""Pages: the list of jobs, and one job, live while work goes on."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.views.common import scopes_of
from rootstock.console.tables import of_rows, table_page
from rootstock.jobs import selectors, services
from rootstock.jobs.artefacts import artefact_get, artefact_response
from rootstock.jobs.models import Job
from rootstock.jobs.pages import CHART_POINTS, JobPage, attempts_of, event_lines, loss_chart
from rootstock.jobs.permissions import may_act, require_act, seen
from rootstock.jobs.schedules import schedulable
from rootstock.jobs.stream import stream_response
from rootstock.jobs.tables import ARTEFACTS, ATTEMPTS, JOBS

EVENTS = 500


@require_GET
@tenant_page("jobs:read")
def job_list(request: PageRequest) -> HttpResponseBase:
    """The jobs that the person's role may see, newest first."""
    jobs = Job.objects.select_related("created_by").defer("params", "result")
    return table_page(request, JOBS, seen(jobs, scopes_of(request)), "jobs/list.html")


def _seen_job(request: PageRequest, job_id: UUID) -> Job:
    return selectors.job_get(organisation=request.organisation, job_id=job_id, scopes=scopes_of(request))


def _detail(request: PageRequest, job_id: UUID) -> dict[str, Any]:
    row = _seen_job(request, job_id)
    events = selectors.job_story(organisation=request.organisation, job_id=job_id, most=EVENTS)
    scopes, attempts = scopes_of(request), attempts_of(events)
    artefacts = selectors.job_artefacts(organisation=request.organisation, job_id=job_id)
    may_start = may_act(scopes, row.kind)
    return {
        "job": JobPage(row),
        "events": event_lines(events),
        "attempts": of_rows(request, ATTEMPTS, attempts) if len(attempts) > 1 or row.error else None,
        "artefacts": of_rows(request, ARTEFACTS, artefacts) if artefacts else None,
        "chart": loss_chart(selectors.job_curve(job=row, points=CHART_POINTS)),
        "may_cancel": may_start and "jobs:write" in scopes,
        "may_run_again": may_start,
        "may_schedule": may_start and "jobs:write" in scopes and row.kind in schedulable(),
    }


@require_GET
@tenant_page("jobs:read")
def job_detail(request: PageRequest, job_id: UUID) -> HttpResponse:
    """One job."""
    return render(request, "jobs/detail.html", _detail(request, job_id))


@require_GET
@tenant_page("jobs:read")
def job_live(request: PageRequest, job_id: UUID) -> HttpResponse:
    """The job's live part, asked for when the stream tells of a change."""
    return render(request, "jobs/live.html", _detail(request, job_id))


@require_GET
@tenant_page("jobs:read")
def job_stream(request: PageRequest, job_id: UUID) -> HttpResponseBase:
    """The page's stream of events."""
    return stream_response(request, _seen_job(request, job_id))


@require_GET
@tenant_page("jobs:read")
def job_artefact(request: PageRequest, job_id: UUID, artefact_id: UUID) -> HttpResponseBase:
    """Download a file that the job made."""
    _seen_job(request, job_id)
    found = artefact_get(organisation=request.organisation, job_id=job_id, artefact_id=artefact_id)
    return artefact_response(found)


@require_POST
@tenant_page("jobs:write")
def job_cancel(request: PageRequest, job_id: UUID) -> HttpResponse:
    """Ask a job to stop."""
    require_act(scopes_of(request), _seen_job(request, job_id).kind)
    services.job_cancel(organisation=request.organisation, job_id=job_id)
    return HttpResponseRedirect(reverse("job", args=[job_id]))


@require_POST
@tenant_page("jobs:read")
def job_run_again(request: PageRequest, job_id: UUID) -> HttpResponse:
    """Start an ended job anew; the reader goes to the new one."""
    require_act(scopes_of(request), _seen_job(request, job_id).kind)
    again = services.job_run_again(organisation=request.organisation, job_id=job_id, created_by=request.user)
    messages.success(request, "Started again with the same parameters.")
    return HttpResponseRedirect(reverse("job", args=[again.pk]))
