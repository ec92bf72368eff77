"""Reads of jobs."""

import json
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F, OuterRef, Subquery

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound
from rootstock.jobs import permissions
from rootstock.jobs.models import Job, JobArtefact, JobEvent, JobSchedule, JobState, Priority
from rootstock.paging import refuse_other, take_page


def jobs_page(
    *,
    organisation: Organisation | UUID,
    scopes: frozenset[str],
    cursor: str | None = None,
    limit: int = 50,
    state: str | None = None,
    kind: str | None = None,
    priority: str | None = None,
) -> tuple[list[Job], str | None]:
    """A page of the jobs that a caller with these scopes may see, newest first."""
    refuse_other("state", state, JobState.values)
    refuse_other("kind", kind, settings.JOB_KINDS)
    with tenant(organisation):
        found = permissions.seen(Job.objects.select_related("created_by"), scopes)
        if state:
            found = found.filter(state=state)
        if kind:
            found = found.filter(kind=kind)
        if priority:
            found = found.filter(priority=Priority[priority.upper()])
        return take_page(found, cursor=cursor, limit=limit)


def job_get(*, organisation: Organisation | UUID, job_id: UUID, scopes: frozenset[str]) -> Job:
    """One job. Raises NotFound, and Forbidden where these scopes may not see its kind."""
    with tenant(organisation):
        job = Job.objects.select_related("created_by", "schedule").filter(pk=job_id).first()
    if job is None:
        raise NotFound(f"no such job; {settings.JOB_KEEP_DAYS} days after its end a job is deleted")
    permissions.require_see(scopes, job.kind)
    return job


def job_events(
    *, organisation: Organisation | UUID, job_id: UUID, after: int = 0, limit: int = 500
) -> list[JobEvent]:
    """A job's events in order, from the one behind the sequence `after`."""
    with tenant(organisation):
        found = JobEvent.objects.filter(job_id=job_id, sequence__gt=after).order_by("sequence")
        return list(found[:limit])


def job_story(*, organisation: Organisation | UUID, job_id: UUID, most: int) -> list[JobEvent]:
    """The newest events that are no training steps, in order: `most` of them, however long the job runs."""
    with tenant(organisation):
        told = JobEvent.objects.filter(job_id=job_id).exclude(type="step").order_by("-sequence")
        return list(told[:most])[::-1]


def job_curve(*, job: Job, points: int) -> list[dict[str, Any]]:
    """The training steps of all attempts: the last of each of `points` equal stretches, in order."""
    stride = max(1, -(-job.last_event // points))
    with tenant(job.organisation_id), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT step.data::text FROM generate_series(%(first)s, %(last)s, %(stride)s) AS start
            CROSS JOIN LATERAL (
                SELECT data FROM jobs_jobevent
                WHERE job_id = %(job)s AND type = 'step' AND sequence >= start AND sequence < start + %(stride)s
                ORDER BY sequence DESC LIMIT 1
            ) AS step ORDER BY start
            """,
            {"job": job.pk, "first": 1, "last": job.last_event, "stride": stride},
        )
        return [json.loads(data) for (data,) in cursor]


def job_artefacts(*, organisation: Organisation | UUID, job_id: UUID) -> list[JobArtefact]:
    """A job's files, by name; those that have expired too."""
    with tenant(organisation):
        return list(JobArtefact.objects.filter(job_id=job_id).order_by("name"))


def schedules(*, organisation: Organisation | UUID, scopes: frozenset[str]) -> list[JobSchedule]:
    """The schedules that may be seen, with `latest`, the job started last; the next due first, then the paused."""
    with tenant(organisation):
        started = Job.objects.filter(schedule=OuterRef("pk")).order_by("-id").values("pk")[:1]
        found = JobSchedule.objects.select_related("created_by").annotate(latest_id=Subquery(started))
        rows: list[Any] = list(
            permissions.seen(found, scopes).order_by(F("next_run_at").asc(nulls_last=True), "name")
        )
        latest = Job.objects.in_bulk([row.latest_id for row in rows if row.latest_id])
    for row in rows:
        row.latest = latest.get(row.latest_id)
    return rows


def schedule_get(
    *, organisation: Organisation | UUID, schedule_id: UUID, scopes: frozenset[str]
) -> JobSchedule:
    """One schedule. Raises NotFound, and Forbidden where these scopes may not see its kind."""
    with tenant(organisation):
        found = JobSchedule.objects.select_related("created_by").filter(pk=schedule_id).first()
    if found is None:
        raise NotFound("no such schedule")
    permissions.require_see(scopes, found.kind)
    return found
