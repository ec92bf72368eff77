"""What a training is asked for."""

from typing import Annotated
from uuid import UUID

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
