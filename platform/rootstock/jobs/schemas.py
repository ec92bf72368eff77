"""Jobs, events, artefacts and schedules as callers see them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field

from rootstock.jobs import retry
from rootstock.jobs.cron import next_runs
from rootstock.jobs.models import Job, JobArtefact, JobSchedule, Priority


class JobOut(Schema):
    """A job. `eta_s` is null while it would be a guess; `advice` says what can be done about `error`."""

    id: UUID
    kind: str
    state: str
    priority: str
    done: int
    total: int | None
    eta_s: float | None
    message: str
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    advice: str | None
    kept: str
    attempts: int
    cancel_requested: bool
    schedule_id: UUID | None
    repeats_id: UUID | None
    created_at: datetime
    not_before: datetime | None
    started_at: datetime | None
    finished_at: datetime | None

    @staticmethod
    def resolve_priority(job: Job) -> str:
        """The priority by name."""
        return Priority(job.priority).name.lower()

    @staticmethod
    def resolve_advice(job: Job) -> str | None:
        """What to do about the error."""
        return retry.advice(job.error) if job.error else None

    @staticmethod
    def resolve_kept(job: Job) -> str:
        """What of an attempt stays when it ends early."""
        return retry.kind_of(job.kind).kept


class JobEventOut(Schema):
    """An event of a job; `id` counts them within the job, and resumes behind it."""

    id: int = Field(alias="sequence")
    type: str
    data: dict[str, Any]
    at: datetime


class ArtefactOut(Schema):
    """A file that a job made. `url` is null once it has expired."""

    id: UUID
    name: str
    content_type: str
    size: int
    sha256: str
    created_at: datetime
    expires_at: datetime
    url: str | None

    @staticmethod
    def resolve_url(artefact: JobArtefact) -> str | None:
        """Where it is downloaded."""
        return f"/api/v1/jobs/{artefact.job_id}/artefacts/{artefact.pk}" if artefact.path else None


class NoParams(BaseModel):
    """A kind of job that needs to be told nothing."""

    model_config = ConfigDict(extra="forbid")


PriorityName = Literal["interactive", "normal", "bulk"]


class ScheduleIn(Schema):
    """A schedule: either `cron` (five fields, in `timezone`) or `every_s`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"name": "nightly", "kind": "audit.verify", "params": {}, "cron": "0 3 * * *"}
        },
    )
    name: Annotated[str, Field(min_length=1, max_length=80)]
    kind: str
    params: dict[str, Any]
    cron: Annotated[str, Field(max_length=120)] = ""
    every_s: Annotated[int, Field(ge=60, le=366 * 86400)] | None = None
    timezone: str = "UTC"
    priority: PriorityName = "bulk"

    def wanted(self) -> dict[str, Any]:
        """As `schedule_create` takes it."""
        return self.dict() | {"priority": Priority[self.priority.upper()]}


class ScheduleChange(Schema):
    """What to change; what is left out stays. `cron` ends an interval, and `every_s` a pattern.

    With the `version` that you have seen, a change that somebody made meanwhile is not overwritten: 409.
    """

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"cron": "0 3 * * 1-5", "version": 1}}
    )
    name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    params: dict[str, Any] | None = None
    cron: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    every_s: Annotated[int, Field(ge=60, le=366 * 86400)] | None = None
    timezone: str | None = None
    priority: PriorityName | None = None
    version: int | None = None

    def wanted(self) -> dict[str, Any]:
        """As `schedule_update` takes it."""
        priority = {"priority": Priority[self.priority.upper()]} if self.priority else {}
        return self.dict(exclude_none=True) | priority


class ScheduleOut(Schema):
    """A schedule. `next_runs` are the next five times; `next_run_at` is null while it is paused.

    `note` says why the last due run was not started.
    """

    id: UUID
    name: str
    kind: str
    params: dict[str, Any]
    cron: str
    every_s: int | None
    timezone: str
    priority: str
    version: int
    paused: bool
    next_run_at: datetime | None
    next_runs: list[datetime]
    last_run_at: datetime | None
    note: str
    created_at: datetime
    last_job: UUID | None = None
    last_state: str | None = None

    @staticmethod
    def resolve_priority(schedule: JobSchedule) -> str:
        """The priority by name."""
        return Priority(schedule.priority).name.lower()

    @staticmethod
    def resolve_next_runs(schedule: JobSchedule) -> list[datetime]:
        """The next times."""
        return next_runs(schedule)

    @staticmethod
    def resolve_last_job(schedule: JobSchedule) -> UUID | None:
        """The job that it started last, where it was looked up."""
        latest = getattr(schedule, "latest", None)
        return latest.pk if latest else None

    @staticmethod
    def resolve_last_state(schedule: JobSchedule) -> str | None:
        """How that one stands."""
        latest = getattr(schedule, "latest", None)
        return latest.state if latest else None
