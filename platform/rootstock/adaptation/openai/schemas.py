"""Bodies and answers of /v1/files and /v1/fine_tuning/jobs. A field that is not here is refused by its name."""

from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from rootstock.gateway.schemas import Strict

Auto = Literal["auto"]
Word = Annotated[str, Field(max_length=512)]


class Hyperparameters(Strict):
    """How to train; `auto` is this platform's default."""

    n_epochs: Auto | Annotated[int, Field(strict=True, ge=1, le=50)] | None = "auto"
    batch_size: Auto | Annotated[int, Field(strict=True, ge=1, le=64)] | None = "auto"
    learning_rate_multiplier: (
        Auto
        | Annotated[float, Field(gt=0, le=5, description="Of this platform's default learning rate")]
        | None
    ) = "auto"


class Supervised(Strict):
    """Learning from answers."""

    hyperparameters: Hyperparameters = Hyperparameters()


class PairHyperparameters(Hyperparameters):
    """How to learn from pairs."""

    beta: Auto | Annotated[float, Field(gt=0, le=2)] | None = "auto"


class Pairs(Strict):
    """Learning from a preferred and another answer."""

    hyperparameters: PairHyperparameters = PairHyperparameters()


class Method(Strict):
    """What is learned from."""

    type: Literal["supervised", "dpo"]
    supervised: Supervised | None = None
    dpo: Pairs | None = None


class FineTuningIn(Strict):
    """A fine-tuning job."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "model": "base",
                    "training_file": "file-01930b5e7c1a7d3e9f004a5b6c7d8e9f",
                    "suffix": "support-tone",
                    "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
                }
            ]
        },
    )
    model: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="`base`, or an adapter to go on from: `name@digest`, its name, an alias"
    )
    training_file: Annotated[str, Field(min_length=1, max_length=80)]
    validation_file: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    suffix: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="The adapter's name, in lower-case letters, digits and hyphens"
    )
    seed: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] | None = None
    method: Method | None = None
    hyperparameters: Hyperparameters | None = Field(
        None, description="Of `supervised`, as older clients say it"
    )
    integrations: None = Field(None, description="There are none here")
    metadata: Annotated[dict[Annotated[str, Field(max_length=64)], Word], Field(max_length=16)] | None = None


class FileObject(Schema):
    """A file."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    filename: str
    purpose: Literal["fine-tune", "fine-tune-results"]
    status: Literal["uploaded", "processed", "error"]
    status_details: str | None = None
    expires_at: int | None = None


class FileDeleted(Schema):
    """It is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True


class List(Schema):
    """A page of a list: go on behind `last_id`."""

    object: Literal["list"] = "list"
    has_more: bool
    first_id: str | None
    last_id: str | None


class Files(List):
    """Files."""

    data: list[FileObject]


class JobProblem(Schema):
    """Why a job failed."""

    code: str
    message: str
    param: str | None


class FineTuningJob(Schema):
    """A fine-tuning job. `fine_tuned_model` can be used as `model` once it is there."""

    id: str
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    created_at: int
    finished_at: int | None
    estimated_finish: int | None
    model: str
    fine_tuned_model: str | None
    organization_id: str
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    error: JobProblem | None
    training_file: str
    validation_file: str | None
    result_files: list[str]
    hyperparameters: dict[str, Any]
    method: dict[str, Any]
    seed: int
    trained_tokens: int | None
    integrations: list[dict[str, Any]] = []
    metadata: dict[str, str] | None


class FineTuningJobs(List):
    """Fine-tuning jobs."""

    data: list[FineTuningJob]


class Event(Schema):
    """Something that happened in a job."""

    id: str
    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    created_at: int
    level: Literal["info", "warn", "error"]
    type: Literal["message", "metrics"]
    message: str
    data: dict[str, Any]


class Events(List):
    """Events, the newest first."""

    data: list[Event]


class Checkpoint(Schema):
    """A state of the training that can be used as a model: the best one, which is what is kept."""

    id: str
    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    created_at: int
    fine_tuned_model_checkpoint: str
    fine_tuning_job_id: str
    step_number: int
    metrics: dict[str, float]


class Checkpoints(List):
    """Checkpoints, the newest first."""

    data: list[Checkpoint]
