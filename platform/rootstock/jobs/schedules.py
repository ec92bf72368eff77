"""Jobs that the clock starts: set up, paused, run now, and run when due."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone as clock
from django.utils.module_loading import import_string
from pydantic import BaseModel, ValidationError

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import every_tenant, tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Busy, Conflict, FieldProblem, InvalidInput, NotFound
from rootstock.jobs.cron import next_run
from rootstock.jobs.models import OPEN_STATES, Job, JobSchedule, Priority
from rootstock.jobs.services import job_create

log = logging.getLogger(__name__)
MOST = 100


def schedulable() -> dict[str, str]:
    """The kinds that can be scheduled, with their labels."""
    return {name: kind.label for name, kind in settings.JOB_KINDS.items() if kind.params}


def needs_nothing(kind: str) -> bool:
    """Whether such a job can be scheduled without being told anything."""
    try:
        params_checked(kind, {})
    except InvalidInput:
        return False
    return True


def schedule_create(
    *,
    organisation: Organisation,
    name: str,
    kind: str,
    params: dict[str, Any],
    cron: str = "",
    every_s: int | None = None,
    timezone: str = "UTC",
    priority: int = Priority.BULK,
    created_by: User | None = None,
) -> JobSchedule:
    """Set a schedule up. Raises InvalidInput naming the field, Conflict for a name that is taken."""
    schedule = JobSchedule(
        organisation_id=organisation.pk, name=name, kind=kind, params=params, cron=cron, every_s=every_s,
        timezone=timezone, priority=priority, created_by=created_by, created_at=clock.now(),
    )  # fmt: skip
    _check(schedule)
    schedule.next_run_at = _next(schedule, schedule.created_at)
    with tenant(organisation), _unique(schedule):
        if JobSchedule.objects.count() >= MOST:
            raise Conflict(f"an organisation has at most {MOST} schedules: delete one first")
        schedule.save(force_insert=True)
        _audit(schedule, "created", {"kind": kind, **_timing(schedule)})
    return schedule


def schedule_update(
    *, organisation: Organisation, schedule_id: UUID, version: int | None = None, **changes: Any
) -> JobSchedule:
    """Change its name, parameters, times or priority; a new pattern ends an interval and the other way round.

    Raises InvalidInput naming the field, and Conflict when somebody changed it since `version` was read.
    """
    with tenant(organisation):
        schedule = _locked(schedule_id)
        if version not in (None, schedule.version):
            raise Conflict("the schedule was changed meanwhile: look at it again, then change it")
        before = _timing(schedule)
        for field, value in (_EXCLUSIVE.get(_given(changes), {}) | changes).items():
            setattr(schedule, field, value)
        _check(schedule)
        if before != _timing(schedule) and not schedule.paused:
            schedule.next_run_at = _next(schedule, clock.now())
        schedule.version += 1
        with _unique(schedule):
            schedule.save()
        _audit(schedule, "changed", {"fields": sorted(changes), **_timing(schedule)})
    return schedule


_EXCLUSIVE: dict[str, dict[str, Any]] = {"cron": {"every_s": None}, "every_s": {"cron": ""}}


def _given(changes: dict[str, Any]) -> str:
    """Which of the two ways to say the times is asked for alone."""
    asked = [name for name in _EXCLUSIVE if name in changes]
    return asked[0] if len(asked) == 1 else ""


def _check(schedule: JobSchedule) -> None:
    """Bring it into the form that is stored. Raises InvalidInput."""
    schedule.name = schedule.name.strip()
    if not 1 <= len(schedule.name) <= 80:
        raise InvalidInput.field("name", "needs 1 to 80 characters")
    if bool(schedule.cron) == (schedule.every_s is not None):
        raise InvalidInput.field("cron", "give either cron or every_s")
    schedule.params = params_checked(schedule.kind, schedule.params)
    _next(schedule, clock.now())


def _timing(schedule: JobSchedule) -> dict[str, Any]:
    return {"cron": schedule.cron, "every_s": schedule.every_s, "timezone": schedule.timezone}


@contextmanager
def _unique(schedule: JobSchedule) -> Iterator[None]:
    reason = f"a schedule called {schedule.name} exists already"
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        raise Conflict(f"name: {reason}", errors=[FieldProblem("name", reason)]) from None


def params_checked(kind: str, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a kind that can be scheduled, as they are stored. Raises InvalidInput."""
    if kind not in schedulable():
        raise InvalidInput.field("kind", f"must be one of {', '.join(schedulable())}")
    model: type[BaseModel] = import_string(settings.JOB_KINDS[kind].params)
    try:
        return model.model_validate(params).model_dump(mode="json")
    except ValidationError as error:
        problems = [
            FieldProblem(".".join(map(str, ("params", *found["loc"]))), found["msg"])
            for found in error.errors()
        ]
        raise InvalidInput(f"{problems[0].field}: {problems[0].reason}", errors=problems) from None


def schedule_pause(*, organisation: Organisation, schedule_id: UUID, paused: bool) -> JobSchedule:
    """Stop or go on. What fell due in between is not made up for."""
    with tenant(organisation):
        schedule = _locked(schedule_id)
        if schedule.paused != paused:
            schedule.next_run_at = None if paused else _next(schedule, clock.now())
            schedule.note = ""
            schedule.save(update_fields=["next_run_at", "note"])
            _audit(schedule, "paused" if paused else "resumed", {})
    return schedule


def schedule_delete(*, organisation: Organisation, schedule_id: UUID) -> None:
    """Remove it; the jobs that it started stay."""
    with tenant(organisation):
        schedule = _locked(schedule_id)
        _audit(schedule, "deleted", {"kind": schedule.kind})
        schedule.delete()


def schedule_run_now(*, organisation: Organisation, schedule_id: UUID, created_by: User | None = None) -> Job:
    """Start its job now, beside its times. Raises Conflict while the job before runs, and where its kind is gone."""
    with tenant(organisation):
        schedule = _locked(schedule_id)
        if schedule.kind not in settings.JOB_KINDS:
            raise Conflict(f"jobs of the kind {schedule.kind} no longer exist")
        if _unfinished(schedule):
            raise Conflict("the job before has not ended")
        job = _start(schedule, clock.now(), created_by)
        _audit(schedule, "run", {"job": str(job.pk)})
    return job


def schedules_run() -> int:
    """Start what is due. Times that passed while nothing ran are made up for once, not once each."""
    with every_tenant("reaper"):
        due = list(JobSchedule.objects.filter(next_run_at__lte=clock.now()).order_by("next_run_at")[:200])
    return sum(_run_due(schedule) for schedule in due)


def _run_due(found: JobSchedule) -> bool:
    """One transaction: the job and the schedule's next time are written together, or neither."""
    with tenant(found.organisation_id):
        mine = JobSchedule.objects.filter(pk=found.pk, next_run_at=found.next_run_at)
        schedule = mine.select_for_update(skip_locked=True).first()
        if schedule is None or schedule.next_run_at is None:
            return False
        due = schedule.next_run_at
        schedule.note, started = "", False
        if schedule.kind not in settings.JOB_KINDS:
            schedule.note = "Not started: this kind of job no longer exists."
        elif _unfinished(schedule):
            schedule.note = "Skipped: the job before had not ended."
        else:
            started = _start_unless_full(schedule, due)
        schedule.next_run_at = _next(schedule, clock.now())
        schedule.save(update_fields=["next_run_at", "last_run_at", "note"])
    return started


def _start_unless_full(schedule: JobSchedule, due: datetime) -> bool:
    try:
        _start(schedule, due, schedule.created_by, asked_by=f"schedule:{schedule.pk}")
    except Busy:
        schedule.note = "Skipped: too many jobs were waiting."
        return False
    return True


def _start(
    schedule: JobSchedule, scheduled_for: datetime, created_by: User | None, asked_by: str = ""
) -> Job:
    job = job_create(
        organisation=schedule.organisation_id,
        kind=schedule.kind,
        params=schedule.params,
        priority=schedule.priority,
        created_by=created_by,
        asked_by=asked_by,
        schedule=schedule,
        scheduled_for=scheduled_for,
    )
    schedule.last_run_at = job.created_at
    schedule.save(update_fields=["last_run_at"])
    return job


def _unfinished(schedule: JobSchedule) -> bool:
    return Job.objects.filter(schedule=schedule, state__in=OPEN_STATES).exists()


def _next(schedule: JobSchedule, after: datetime) -> datetime:
    return next_run(
        cron=schedule.cron,
        every_s=schedule.every_s,
        timezone=schedule.timezone,
        after=after,
        anchor=schedule.created_at,
    )


def _locked(schedule_id: UUID) -> JobSchedule:
    schedule = JobSchedule.objects.select_for_update().filter(pk=schedule_id).first()
    if schedule is None:
        raise NotFound("no such schedule")
    return schedule


def _audit(schedule: JobSchedule, done: str, data: dict[str, Any]) -> None:
    audit_record(
        organisation=schedule.organisation_id,
        action=f"job_schedule.{done}",
        object_type="job_schedule",
        object_id=schedule.pk,
        data=data,
    )
