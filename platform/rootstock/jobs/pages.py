"""Jobs and their events as the pages show them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from rootstock.console.charts import Chart, Series
from rootstock.jobs.models import Job, JobEvent, JobState

TIMELINE_EVENTS = 40
CHART_POINTS = 400
_EMPTY: tuple[Any, ...] = (None, "", {}, [])
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TONES = {"done": "ok", "evaluation": "info", "warning": "warn", "error": "error"}


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
        kind = settings.JOB_KINDS.get(self.job.kind)
        return kind.label if kind else self.job.kind

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
        """Who started it; a job without a person came over the API."""
        return str(self.job.created_by) if self.job.created_by else "the API"

    @property
    def shown_total(self) -> int:
        """A total for the bar of an ended job, which must not look as if it still went on."""
        return self.job.total or self.job.done or 1

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the pace so far; None while that would be a guess."""
        job = self.job
        if job.state != JobState.RUNNING or not (job.started_at and job.total and job.done):
            return None
        elapsed = (timezone.now() - job.started_at).total_seconds()
        return elapsed * (job.total - job.done) / job.done if elapsed > 2 else None

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
    told = [event for event in events if event.type != "step"][-TIMELINE_EVENTS:]
    return [
        EventLine(
            label=event.type.replace("_", " ").capitalize(),
            text=_told(event.data),
            tone=_TONES.get(event.type, "neutral"),
            at=event.at,
        )
        for event in reversed(told)
    ]


def loss_chart(events: Sequence[JobEvent]) -> Chart | None:
    """The training curve, thinned to what a screen can show; None for jobs that report no loss."""
    steps = [event.data for event in events if event.type == "step" and event.data.get("loss") is not None]
    steps.sort(key=lambda step: step["step"])  # ids of one millisecond are in no order
    if len(steps) < 2:
        return None
    steps = steps[:: -(-len(steps) // CHART_POINTS)]
    return Chart(
        id="loss",
        title="Training loss",
        labels=[str(step["step"]) for step in steps],
        series=[Series("loss", [round(step["loss"], 4) for step in steps], "accent")],
        label_title="Step",
    )
