"""What a training is asked for."""

from typing import Annotated
from uuid import UUID

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field

from rootstock.adaptation.train_settings import TrainSettings


class TrainParams(BaseModel):
    """The parameters of a training job."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
    dataset: UUID
    settings: TrainSettings = TrainSettings()


class TrainIn(TrainSettings, Schema):
    """What to train. The defaults suit a few dozen short examples."""

    name: str
    dataset_id: UUID

    def settings(self) -> TrainSettings:
        """How to train."""
        return TrainSettings(**self.dict(include=set(TrainSettings.model_fields)))
