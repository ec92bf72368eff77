"""What may happen in a job: one model per type of event. What does not fit is refused where it is written."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Text = Annotated[str, Field(max_length=400)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Event(BaseModel):
    """The fields of an event; `type` names it on the wire."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: ClassVar[str]

    def stored(self) -> dict[str, Any]:
        """As the column holds it: without what was not given."""
        return self.model_dump(mode="json", exclude_none=True)


class Started(Event):
    """A worker took the job."""

    type = "started"
    attempt: int
    worker: Text = ""


class Log(Event):
    """A line for the reader."""

    type = "log"
    text: Text


class Warning(Event):
    """Something the reader should look at; the job goes on."""

    type = "warning"
    text: Text


class Step(Event):
    """One step of a training."""

    type = "step"
    step: int
    steps: int
    epoch: Number = 0.0
    loss: Number | None = None
    learning_rate: Number | None = None
    tokens_per_second: Number | None = None
    memory_bytes: int | None = None
    eta_s: Number | None = None


class Evaluation(Event):
    """Figures of a model, so far or of its kept state."""

    type = "evaluation"
    step: int | None = None
    steps: int | None = None
    epoch: Number | None = None
    metrics: dict[str, Number] = {}
    best: bool = False


class Sample(Event):
    """What a model answers so far to one of the questions that are asked of it on the way, by its number."""

    type = "sample"
    step: int
    steps: int
    epoch: Number = 0.0
    prompt: int
    text: Annotated[str, Field(max_length=2_000)]


class Trained(Event):
    """A training has ended and this is what it made."""

    type = "trained"
    step: int
    steps: int
    epoch: Number = 0.0
    metrics: dict[str, Number] = {}
    digest: Text = ""
    seconds: Number | None = None
    best: bool = False
    stopped_early: bool = False


class Artefact(Event):
    """A file to download."""

    type = "artefact"
    name: Text
    size: int
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class AttemptFailed(Event):
    """An attempt ended without success: why, and what of it is kept."""

    type = "attempt_failed"
    attempt: int
    code: Text
    detail: str
    kept: Text = ""


class RetryScheduled(Event):
    """It is tried again by itself."""

    type = "retry_scheduled"
    attempt: int
    of: int
    at: Annotated[datetime, Field(strict=False)]


class CancelRequested(Event):
    """Somebody asked it to stop."""

    type = "cancel_requested"


class Done(Event):
    """The last event: how it ended."""

    type = "done"
    state: Literal["succeeded", "failed", "cancelled"]


class Progress(Event):
    """How far it is. Told to whoever watches and kept on the job's row, never stored as an event."""

    type = "progress"
    state: str
    done: int
    total: int | None = None
    eta_s: Number | None = None
    message: str = ""
    attempts: int = 0


STORED: dict[str, type[Event]] = {
    kind.type: kind
    for kind in (
        Started, Log, Warning, Step, Evaluation, Sample, Trained, Artefact, AttemptFailed, RetryScheduled,
        CancelRequested, Done,
    )
}  # fmt: skip


def event_of(type: str, data: dict[str, Any]) -> Event:
    """The typed event. Raises ValueError for an unknown type and for data that do not fit it."""
    if type not in STORED:
        raise ValueError(f"unknown type of event {type!r}: one of {', '.join(STORED)}")
    try:
        return STORED[type].model_validate(data)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"event {type}: {told}") from None
