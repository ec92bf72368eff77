"""Pages: the schedules of jobs."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.views.common import scopes_of
from rootstock.console.tables import embedded, of_rows, part_or_none
from rootstock.errors import DomainError
from rootstock.jobs import schedules, selectors
from rootstock.jobs.cron import in_words
from rootstock.jobs.forms import ScheduleForm
from rootstock.jobs.models import Job, JobSchedule
from rootstock.jobs.permissions import may_act, require_act
from rootstock.jobs.retry import kind_of
from rootstock.jobs.tables import SCHEDULES, STARTED

_OFFERED = 30


@require_GET
@tenant_page("jobs:read")
def schedule_list(request: PageRequest) -> HttpResponse:
    """The schedules of the kinds that the person's role may see."""
    rows = selectors.schedules(organisation=request.organisation, scopes=scopes_of(request))
    return render(
        request,
        "jobs/schedules.html",
        {"table": of_rows(request, SCHEDULES, rows), "may_write": "jobs:write" in scopes_of(request)},
    )


@require_http_methods(["GET", "POST"])
@tenant_page("jobs:write")
def schedule_new(request: PageRequest) -> HttpResponse:
    """Set one up, from a job that has run before."""
    jobs = _repeatable(request)
    given = request.POST if request.method == "POST" else None
    form = ScheduleForm(jobs, given, initial={"job": request.GET.get("from", "")})
    if given is not None and form.is_valid() and (made := _made(request, form)):
        messages.success(request, "The schedule is set up.")
        return HttpResponseRedirect(reverse("job-schedule", args=[made]))
    return render(
        request, "jobs/schedule_new.html", {"form": form, "jobs": jobs}, status=422 if given else 200
    )


def _repeatable(request: PageRequest) -> list[Job]:
    """The latest jobs of the kinds that can be scheduled and that this person may start."""
    scopes = scopes_of(request)
    kinds = [kind for kind in schedules.schedulable() if may_act(scopes, kind)]
    with tenant(request.organisation):
        return list(Job.objects.filter(kind__in=kinds).order_by("-id")[:_OFFERED])


def _made(request: PageRequest, form: ScheduleForm) -> UUID | None:
    """The new schedule's id; None when it was refused, with the reasons on the form."""
    wanted = form.wanted()
    require_act(scopes_of(request), wanted["kind"])
    try:
        return schedules.schedule_create(
            organisation=request.organisation, created_by=request.user, **wanted
        ).pk
    except DomainError as error:
        for problem in error.errors:
            form.add_error(problem.field if problem.field in form.fields else None, problem.reason)
        if not error.errors:
            form.add_error("name" if error.detail.startswith("name:") else None, error.detail)
        return None


@require_GET
@tenant_page("jobs:read")
def schedule_detail(request: PageRequest, schedule_id: UUID) -> HttpResponseBase:
    """One schedule, with the jobs that it started."""
    schedule = _seen(request, schedule_id)
    started = Job.objects.filter(schedule=schedule).select_related("created_by").defer("params", "result")
    table = embedded(request, STARTED, started)
    may_write = "jobs:write" in scopes_of(request) and may_act(scopes_of(request), schedule.kind)
    context = {
        "schedule": schedule,
        "kind": kind_of(schedule.kind),
        "times": in_words(schedule),
        "table": table,
        "may_write": may_write,
    }
    return part_or_none(request, table, started) or render(request, "jobs/schedule.html", context)


@require_POST
@tenant_page("jobs:write")
def schedule_pause(request: PageRequest, schedule_id: UUID) -> HttpResponse:
    """Pause it, or go on."""
    _may_change(request, schedule_id)
    paused = request.POST.get("paused") == "1"
    schedules.schedule_pause(organisation=request.organisation, schedule_id=schedule_id, paused=paused)
    return _back(request, schedule_id, "Paused. What runs goes on." if paused else "It goes on.")


@require_POST
@tenant_page("jobs:write")
def schedule_run(request: PageRequest, schedule_id: UUID) -> HttpResponse:
    """Start its job now."""
    _may_change(request, schedule_id)
    schedules.schedule_run_now(
        organisation=request.organisation, schedule_id=schedule_id, created_by=request.user
    )
    return _back(request, schedule_id, "Started.")


@require_POST
@tenant_page("jobs:write")
def schedule_delete(request: PageRequest, schedule_id: UUID) -> HttpResponse:
    """Remove it."""
    _may_change(request, schedule_id)
    schedules.schedule_delete(organisation=request.organisation, schedule_id=schedule_id)
    messages.success(request, "The schedule is deleted. The jobs that it started stay.")
    return HttpResponseRedirect(reverse("job-schedules"))


def _seen(request: PageRequest, schedule_id: UUID) -> JobSchedule:
    scopes = scopes_of(request)
    return selectors.schedule_get(organisation=request.organisation, schedule_id=schedule_id, scopes=scopes)


def _may_change(request: PageRequest, schedule_id: UUID) -> JobSchedule:
    schedule = _seen(request, schedule_id)
    require_act(scopes_of(request), schedule.kind)
    return schedule


def _back(request: HttpRequest, schedule_id: UUID, told: str) -> HttpResponse:
    messages.success(request, told)
    return HttpResponseRedirect(reverse("job-schedule", args=[schedule_id]))
