"""Jobs and their events as the pages show them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse

from rootstock.console.charts import Chart, Series
from rootstock.jobs.models import Job, JobEvent, JobState, Priority
from rootstock.jobs.retry import advice, kind_of

TIMELINE_EVENTS = 40
CHART_POINTS = 400
_EMPTY: tuple[Any, ...] = (None, "", {}, [])
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TONES = {
    "trained": "ok", "artefact": "ok", "evaluation": "info", "started": "info", "warning": "warn",
    "retry_scheduled": "warn", "cancel_requested": "warn", "attempt_failed": "error",
}  # fmt: skip
_ENDINGS = {"succeeded": "ok", "failed": "error", "cancelled": "neutral"}


@dataclass(slots=True, frozen=True)
class JobPage:
    """One job, with what the row itself does not say."""

    job: Job

    def __getattr__(self, name: str) -> Any:
        return getattr(self.job, name)

    @property
    def id(self) -> UUID:
        """The job's id."""
        return self.job.pk

    @property
    def label(self) -> str:
        """What kind of job it is, in words."""
        return kind_of(self.job.kind).label

    @property
    def page(self) -> str:
        """Where its kind is shown in its own way."""
        name = kind_of(self.job.kind).page
        return reverse(name, args=[self.job.pk]) if name else ""

    @property
    def priority_label(self) -> str:
        """Who it lets go first."""
        return str(Priority(self.job.priority).label)

    @property
    def advice(self) -> str:
        """What the reader can do about its error."""
        return advice(self.job.error)

    @property
    def kept(self) -> str:
        """What of an attempt stays when it ends early."""
        return kind_of(self.job.kind).kept

    @property
    def state(self) -> str:
        """The job's state, or `cancelling` while a running job has still to notice."""
        stopping = self.job.cancel_requested and self.job.state == JobState.RUNNING
        return "cancelling" if stopping else self.job.state

    @property
    def is_final(self) -> bool:
        """Nothing will change any more."""
        return self.job.is_final

    @property
    def may_still_stop(self) -> bool:
        """Cancelling it would change something."""
        return not self.job.is_final and not self.job.cancel_requested

    @property
    def started_by(self) -> str:
        """Who started it; a job without a person or schedule came over the API."""
        if self.job.schedule_id:
            return "a schedule"
        return str(self.job.created_by) if self.job.created_by else "the API"

    @property
    def shown_total(self) -> int:
        """A total for the bar of an ended job, which must not look as if it still went on."""
        return self.job.total or self.job.done or 1

    @property
    def took_s(self) -> float | None:
        """How long it ran."""
        if not (self.job.started_at and self.job.finished_at):
            return None
        return (self.job.finished_at - self.job.started_at).total_seconds()


@dataclass(slots=True, frozen=True)
class EventLine:
    """One line of a job's timeline."""

    label: str
    text: str
    tone: str
    at: datetime


def _told(data: dict[str, Any]) -> str:
    """The event's fields in words; a flag is named when it is set, what is empty is left out."""
    told = ((key, value) for key, value in data.items() if value is not False and value not in _EMPTY)
    fields = ((key.replace("_", " "), value) for key, value in told)
    return " · ".join(key if value is True else f"{key} {_shown(value)}" for key, value in fields)


def _shown(value: Any) -> str:
    if isinstance(value, str) and _DIGEST.fullmatch(value):
        return value[:12]
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(inner)}" for key, inner in value.items())
    return str(value)


def event_lines(events: Sequence[JobEvent]) -> list[EventLine]:
    """The timeline, newest first. Training steps are drawn as a curve instead."""
    return [_line(event) for event in reversed(events[-TIMELINE_EVENTS:])]


def _line(event: JobEvent) -> EventLine:
    if event.type in ("log", "warning"):
        label, text = event.type.capitalize(), str(event.data.get("text", ""))
    elif event.type == "done":
        label, text = str(event.data["state"]).capitalize(), ""
    elif event.type == "attempt_failed":
        label, text = f"Attempt {event.data['attempt']} failed", event.data["detail"]
    elif event.type == "retry_scheduled":
        at = datetime.fromisoformat(event.data["at"])
        label, text = (
            "Tried again",
            f"attempt {event.data['attempt']} of {event.data['of']}, {at:%H:%M:%S} UTC",
        )
    else:
        label, text = event.type.replace("_", " ").capitalize(), _told(event.data)
    tone = (
        _ENDINGS.get(event.data.get("state", ""), "neutral")
        if event.type == "done"
        else _TONES.get(event.type)
    )
    return EventLine(label, text, tone or "neutral", event.at)


@dataclass(slots=True, frozen=True)
class Attempt:
    """One try of a job: how it went, why, and what of it was kept."""

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = "running"
    detail: str = ""
    kept: str = ""

    @property
    def pk(self) -> int:
        """What a table's rows are called by."""
        return self.number


def attempts_of(events: Sequence[JobEvent]) -> list[Attempt]:
    """The history of attempts, as the events tell it; the latest first."""
    found: list[Attempt] = []
    for event in events:
        data = event.data
        if event.type == "started":
            found.append(Attempt(data["attempt"], data.get("worker", ""), event.at))
        elif found and event.type == "attempt_failed":
            told = {"detail": data["detail"], "kept": data.get("kept", "")}
            found[-1] = replace(found[-1], ended_at=event.at, outcome="failed", **told)
        elif found and event.type == "done" and found[-1].ended_at is None:
            found[-1] = replace(found[-1], ended_at=event.at, outcome=data["state"])
    return found[::-1]


def course(steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps in the order of their numbers: where an attempt goes back, it takes the place of what was lost."""
    course: list[dict[str, Any]] = []
    for step in steps:
        while course and course[-1]["step"] >= step["step"]:
            course.pop()
        course.append(step)
    return course


def loss_chart(steps: Sequence[dict[str, Any]]) -> Chart | None:
    """The curve of a job's steps, over all its attempts; None for jobs that report no loss."""
    steps = course([step for step in steps if step.get("loss") is not None])
    if len(steps) < 2:
        return None
    return Chart(
        id="loss",
        title="Training loss",
        labels=[str(step["step"]) for step in steps],
        series=[Series("loss", [round(step["loss"], 4) for step in steps], "accent")],
        label_title="Step",
    )
