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
from rootstock.console.forms import saved
from rootstock.console.tables import embedded, of_rows, part_or_none
from rootstock.jobs import schedules, selectors
from rootstock.jobs.cron import in_words, next_runs
from rootstock.jobs.forms import ScheduleChangeForm, ScheduleForm
from rootstock.jobs.models import Job, JobSchedule, Priority
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
    """Set one up: a kind of job that needs no parameters, or a job that has run before."""
    form = _new_form(request)
    if made := saved(form, lambda: _made(request, form)):
        messages.success(request, "The schedule is set up.")
        return HttpResponseRedirect(reverse("job-schedule", args=[made.pk]))
    context = {"form": form, "nothing": not form.offered}
    return render(request, "jobs/schedule_new.html", context, status=422 if form.is_bound else 200)


def _new_form(request: PageRequest) -> ScheduleForm:
    """Offers what this person may start."""
    mine = [kind for kind in schedules.schedulable() if may_act(scopes_of(request), kind)]
    alone = [kind for kind in mine if schedules.needs_nothing(kind)]
    with tenant(request.organisation):
        before = Job.objects.filter(kind__in=mine).exclude(kind__in=alone, params={}).order_by("-id")
        jobs = list(before[:_OFFERED])
    given = request.POST if request.method == "POST" else None
    return ScheduleForm(alone, jobs, given, initial={"job": request.GET.get("from", "")})


@require_http_methods(["GET", "POST"])
@tenant_page("jobs:write")
def schedule_edit(request: PageRequest, schedule_id: UUID) -> HttpResponse:
    """Change one."""
    schedule = _may_change(request, schedule_id)
    form = ScheduleChangeForm(schedule, request.POST if request.method == "POST" else None)
    if saved(
        form,
        lambda: schedules.schedule_update(
            organisation=request.organisation, schedule_id=schedule_id, **form.wanted()
        ),
    ):
        return _back(request, schedule_id, "The schedule is changed.")
    context = {"form": form, "schedule": schedule}
    return render(request, "jobs/schedule_edit.html", context, status=422 if form.is_bound else 200)


def _made(request: PageRequest, form: ScheduleForm) -> JobSchedule:
    wanted = form.wanted()
    require_act(scopes_of(request), wanted["kind"])
    return schedules.schedule_create(organisation=request.organisation, created_by=request.user, **wanted)


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
        "next_runs": next_runs(schedule),
        "priority": Priority(schedule.priority).label,
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
