"""The lists of jobs and schedules."""

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.template.defaultfilters import capfirst, filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rootstock.console.formats import abbreviated
from rootstock.console.tables import ChoiceFilter, Column, DateFilter, Empty, Table
from rootstock.console.templatetags.console import icon, pill, status_pill
from rootstock.jobs.cron import in_words
from rootstock.jobs.models import Job, JobArtefact, JobSchedule, JobState, Priority
from rootstock.jobs.pages import JobPage
from rootstock.jobs.retry import kind_of


def _progress(job: Job) -> str:
    of = f" of {abbreviated(float(job.total))}" if job.total else ""
    return f"{abbreviated(float(job.done))}{of}"


def _plain_progress(job: Job) -> str:
    return f"{job.done} of {job.total}" if job.total else str(job.done)


def _kinds() -> list[tuple[str, str]]:
    return [(name, kind.label) for name, kind in settings.JOB_KINDS.items()]


def _of_priority(jobs: QuerySet[Job], name: str) -> QuerySet[Job]:
    return jobs.filter(priority=Priority[name.upper()])


JOBS = Table(
    name="jobs",
    label="Jobs",
    columns=[
        Column("label", "Job", value=lambda job: kind_of(job.kind).label, css="strong"),
        Column(
            "state", "State", value=lambda job: status_pill(JobPage(job).state), csv=lambda job: job.state
        ),
        Column("progress", "Progress", value=_progress, csv=_plain_progress, css="num"),
        Column("attempts", "Attempts", css="num", shown=False),
        Column("priority", "Priority", value=lambda job: Priority(job.priority).label, shown=False),
        Column("started_by", "Started by", value=lambda job: JobPage(job).started_by),
        Column("created", "Created", value=lambda job: job.created_at, order="id"),
        Column("finished", "Finished", value=lambda job: job.finished_at, shown=False),
        Column("id", "Id", value=lambda job: str(job.pk), css="mono", shown=False),
    ],
    filters=[
        ChoiceFilter("state", "State", lookup="state", choices=JobState.choices),
        ChoiceFilter("kind", "Kind", lookup="kind", choices=_kinds()),
        ChoiceFilter(
            "priority", "Priority", apply=_of_priority, choices=[(p.name.lower(), p.label) for p in Priority]
        ),
        DateFilter("created", "Created", lookup="created_at", by_id=True),
    ],
    sort="-created",
    row_url=lambda job: reverse("job", args=[job.pk]),
    empty=Empty(
        "No jobs yet",
        "Bulk scoring, imports and training appear here once somebody starts them.",
        "list-checks",
    ),
    live_s=3,
)

STARTED = replace(
    JOBS,
    name="schedule-jobs",
    filters=(),
    views=False,
    empty=Empty(
        "None yet", "The first one starts at the next run, or now by the button above.", "list-checks"
    ),
)


def _file(artefact: JobArtefact) -> SafeString:
    if not artefact.path:
        return format_html('{} <span class="muted">expired</span>', artefact.name)
    url = reverse("job-artefact", args=[artefact.job_id, artefact.pk])
    return format_html('<a class="strong" href="{}" download>{} {}</a>', url, icon("download"), artefact.name)


ARTEFACTS = Table(
    name="job-artefacts",
    label="Files",
    columns=[
        Column("file", "File", value=_file),
        Column(
            "size",
            "Size",
            value=lambda artefact: filesizeformat(artefact.size),
            csv=lambda artefact: artefact.size,
            css="num",
        ),
        Column(
            "sha256",
            "SHA-256",
            value=lambda artefact: artefact.sha256[:12],
            csv=lambda artefact: artefact.sha256,
            css="mono",
        ),
        Column("expires", "Kept until", value=lambda artefact: artefact.expires_at),
    ],
)

ATTEMPTS = Table(
    name="job-attempts",
    label="Attempts",
    columns=[
        Column("number", "Attempt", css="num"),
        Column("outcome", "Outcome", value=lambda attempt: status_pill(attempt.outcome)),
        Column("started", "Started", value=lambda attempt: attempt.started_at),
        Column("worker", "Worker"),
        Column("why", "Why", value=lambda attempt: capfirst(attempt.detail), css="wide"),
        Column("kept", "Kept", css="wide"),
    ],
)


def _next(schedule: JobSchedule) -> Any:
    return pill("neutral", "Paused", "pause") if schedule.paused else schedule.next_run_at


def _last(schedule: Any) -> SafeString | str:
    if schedule.latest is None:
        return ""
    url = reverse("job", args=[schedule.latest.pk])
    return format_html('<a href="{}">{}</a>', url, status_pill(schedule.latest.state))


SCHEDULES = Table(
    name="job-schedules",
    label="Schedules",
    columns=[
        Column("name", "Schedule", css="strong"),
        Column("kind", "Job", value=lambda row: kind_of(row.kind).label),
        Column("times", "Runs", value=in_words),
        Column("next", "Next run", value=_next),
        Column("last", "Last result", value=_last),
        Column("note", "Note", css="wide"),
    ],
    row_url=lambda row: reverse("job-schedule", args=[row.pk]),
    empty=Empty(
        "No schedules yet",
        "A schedule starts a kind of job by the clock, for example a training every night.",
        "calendar-clock",
    ),
    csv=False,
    views=False,
)
