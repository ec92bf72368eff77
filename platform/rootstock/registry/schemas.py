"""What a training is asked for, and an adapter as it is told."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field


class TrainSettings(BaseModel):
    """How to train. The defaults suit a few dozen short examples."""

    model_config = ConfigDict(extra="forbid")
    rank: Annotated[int, Field(ge=1, le=64)] = 8
    alpha: Annotated[float, Field(gt=0, le=256)] = 16.0
    epochs: Annotated[float, Field(gt=0, le=50)] = 3.0
    learning_rate: Annotated[float, Field(gt=0, le=0.01)] = 2e-3
    batch_size: Annotated[int, Field(ge=1, le=64)] = 8
    max_tokens: Annotated[int, Field(ge=16, le=1024)] = 256
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class TrainParams(BaseModel):
    """The parameters of a training job."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
    dataset: UUID
    settings: TrainSettings = TrainSettings()


class AdapterOut(Schema):
    """An adapter version. `dataset_erased_at`: it was trained on a data set that held a person erased since."""

    id: UUID
    reference: str
    name: str
    digest: str
    base_fingerprint: str = Field(alias="base.fingerprint")
    card: dict[str, Any]
    bytes: int
    job_id: UUID | None
    dataset_id: UUID | None
    dataset_erased_at: datetime | None = Field(None, alias="dataset.erased_at")
    origin: str
    keep: str
    created_at: datetime
    retired_at: datetime | None
    retired_because: str
