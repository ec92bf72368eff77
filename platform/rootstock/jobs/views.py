"""Pages: the list of jobs and one job, both renewing themselves while work goes on."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.jobs import selectors, services
from rootstock.jobs.models import JobState
from rootstock.jobs.pages import JobPage, event_lines, loss_chart

STOP_POLLING = 286  # htmx stops a polling element that is answered with this status
PAGE = 50
EVENTS = 5000  # of a long training: the curve needs all of them


def _list(request: PageRequest) -> dict[str, Any]:
    state, cursor = request.GET.get("state", ""), request.GET.get("cursor")
    jobs, following = selectors.jobs_page(
        organisation=request.organisation, cursor=cursor, limit=PAGE, state=state or None
    )
    asked = {"state": state} if state else {}
    return {
        "jobs": [JobPage(job) for job in jobs],
        "choices": _choices(state),
        "next_url": f"?{urlencode(asked | {'cursor': following})}" if following else "",
        "previous_url": f"?{urlencode(asked)}" if cursor else "",
        # Only the newest page changes by itself: an older one would jump under the reader.
        "live_url": "" if cursor else f"{reverse('jobs-live')}?{urlencode(asked)}",
    }


def _choices(state: str) -> list[dict[str, Any]]:
    every = [("", "All"), *JobState.choices]
    return [
        {"label": label, "url": f"?state={value}" if value else "?", "current": value == state}
        for value, label in every
    ]


@require_GET
@tenant_page("jobs:read")
def job_list(request: PageRequest) -> HttpResponse:
    """Jobs, newest first."""
    return render(request, "jobs/list.html", _list(request))


@require_GET
@tenant_page("jobs:read")
def job_list_live(request: PageRequest) -> HttpResponse:
    """The part of the list that renews itself."""
    return render(request, "jobs/list_live.html", _list(request))


def _detail(request: PageRequest, job_id: UUID) -> dict[str, Any]:
    job = JobPage(selectors.job_get(organisation=request.organisation, job_id=job_id))
    events = selectors.job_events(organisation=request.organisation, job_id=job_id, limit=EVENTS)
    return {
        "job": job,
        "events": event_lines(events),
        "chart": loss_chart(events),
        "may_cancel": "jobs:write" in ROLE_SCOPES[request.membership.role],
    }


@require_GET
@tenant_page("jobs:read")
def job_detail(request: PageRequest, job_id: UUID) -> HttpResponse:
    """One job."""
    return render(request, "jobs/detail.html", _detail(request, job_id))


@require_GET
@tenant_page("jobs:read")
def job_live(request: PageRequest, job_id: UUID) -> HttpResponse:
    """The job's live part. Once the job has ended this is asked for a last time."""
    context = _detail(request, job_id)
    status = STOP_POLLING if context["job"].is_final else 200
    return render(request, "jobs/live.html", context, status=status)


@require_POST
@tenant_page("jobs:write")
def job_cancel(request: PageRequest, job_id: UUID) -> HttpResponse:
    """Ask a job to stop."""
    services.job_cancel(organisation=request.organisation, job_id=job_id)
    return HttpResponseRedirect(reverse("job", args=[job_id]))
