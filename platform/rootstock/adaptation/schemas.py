"""What a training is asked for."""

from typing import Annotated
from uuid import UUID

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field

from rootstock.adaptation.sources import Sources
from rootstock.adaptation.train_settings import TrainSettings


class TrainParams(BaseModel):
    """The parameters of a training job: data sets by their part in it, and the version that it goes on from."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
    dataset: UUID
    evaluation: UUID | None = None
    mix: UUID | None = None
    replay: UUID | None = None
    start_from: Annotated[str, Field(max_length=80)] = ""
    settings: TrainSettings = TrainSettings()


class TrainIn(TrainSettings, Schema):
    """What to train, and on what. The defaults suit a few dozen short examples."""

    name: str
    dataset_id: UUID
    evaluation_id: UUID | None = Field(None, description="Decides which state is kept; not trained on")
    mix_id: UUID | None = Field(None, description="A second data set, blended in as `mix_schedule` says")
    replay_id: UUID | None = Field(None, description="Of what was learned before, against forgetting")
    start_from: str = Field(
        "", description="A version to go on from, as name@digest; its shape is taken over"
    )

    def settings(self) -> TrainSettings:
        """How to train."""
        return TrainSettings(**self.dict(include=set(TrainSettings.model_fields)))

    def sources(self) -> Sources:
        """What to learn from."""
        return Sources(self.dataset_id, self.evaluation_id, self.mix_id, self.replay_id, self.start_from)


class EstimateOut(Schema):
    """What a training will take. `low`, `high`: the range for `seconds`. `measured`: how many finished trainings
    on this base they come from; 0: constants alone. `shared_bytes`: of `peak_bytes` the base's, in memory anyway."""

    examples: int
    tokens: int
    steps: int
    seconds: float
    low: float
    high: float
    peak_bytes: int
    shared_bytes: int
    measured: int
