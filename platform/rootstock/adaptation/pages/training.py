"""One training, live while it goes on."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.views.common import scopes_of
from rootstock.adaptation import selectors
from rootstock.adaptation.charts import training_charts
from rootstock.adaptation.words import (
    evaluations_told,
    latest_tiles,
    samples_told,
    settings_told,
    sources_told,
)
from rootstock.jobs.models import Job
from rootstock.jobs.pages import CHART_POINTS, JobPage, attempts_of, event_lines
from rootstock.jobs.selectors import job_curve, job_story
from rootstock.jobs.services import job_cancel
from rootstock.jobs.stream import stream_response
from rootstock.registry.datasets.uses import ROLES
from rootstock.registry.pages.common import ASK, READ, acted, rights

MOST_TOLD = 500
CHAT = "chat"


def _training(request: PageRequest, job_id: UUID) -> Job:
    return selectors.training_get(organisation=request.organisation, job_id=job_id)


def _live(request: PageRequest, job: Job) -> dict[str, Any]:
    """What changes while it goes on."""
    story = job_story(organisation=request.organisation, job_id=job.pk, most=MOST_TOLD)
    evaluations = [event.data for event in story if event.type == "evaluation"]
    version = selectors.version_of(job=job)
    scopes = scopes_of(request)
    return {
        "job": JobPage(job),
        "tiles": latest_tiles(job, selectors.latest_step(job=job), evaluations),
        "charts": training_charts(job_curve(job=job, points=CHART_POINTS), evaluations),
        "evaluations": evaluations_told(evaluations),
        "samples": samples_told(job, [event.data for event in story if event.type == "sample"]),
        "events": event_lines([one for one in story if one.type not in ("evaluation", "sample")]),
        "attempts": attempts_of(story),
        "version": version,
        "base": selectors.base_of(job=job),
        # others may once a second person has agreed on it
        "may_talk": version
        and version.task == CHAT
        and not version.retired_at
        and scopes >= {"models:use", ASK},
        **rights(request),
    }


@require_GET
@tenant_page(READ)
def training(request: PageRequest, job_id: UUID) -> HttpResponse:
    """Everything about it."""
    job = _training(request, job_id)
    ids = [id for role in ROLES if (id := job.params.get(role))]
    named = selectors.datasets_named(organisation=request.organisation, ids=ids)
    context = {
        "name": job.params.get("name", ""),
        "sources": sources_told(job, named),
        "settings": settings_told(job.params.get("settings", {})),
    }
    return render(request, "adaptation/training.html", context | _live(request, job))


@require_GET
@tenant_page(READ)
def training_live(request: PageRequest, job_id: UUID) -> HttpResponse:
    """The live part, asked for when the stream tells of a change."""
    return render(request, "adaptation/live.html", _live(request, _training(request, job_id)))


@require_GET
@tenant_page(READ)
def training_stream(request: PageRequest, job_id: UUID) -> HttpResponseBase:
    """The page's stream of events."""
    return stream_response(request, _training(request, job_id))


@require_POST
@tenant_page(ASK)
def cancel(request: PageRequest, job_id: UUID) -> HttpResponse:
    """Stop it."""
    job = _training(request, job_id)
    return acted(
        request,
        lambda: job_cancel(organisation=request.organisation, job_id=job.pk),
        "It is being stopped: its process ends and its memory is free within seconds.",
        "training",
        job_id,
    )
