"""What the training of a base is asked for."""

from typing import Annotated
from uuid import UUID

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field

from rootstock.adaptation.base_settings import BaseTrainSettings
from rootstock.adaptation.schemas import EstimateOut
from rootstock.adaptation.sources import Sources


class BaseTrainParams(BaseModel):
    """The parameters of such a job. `base` is empty for the served one, or names one that was trained here."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
    base: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9-]{1,62}@[0-9a-f]{12})?$")] = ""
    dataset: UUID
    evaluation: UUID
    mix: UUID | None = None
    replay: UUID | None = None
    settings: BaseTrainSettings = BaseTrainSettings()


class BaseTrainIn(BaseTrainSettings, Schema):
    """What to train, from which base (the served one unless `base` names one that was trained here), on which data, and
    what to measure it on."""

    name: str
    base: str = ""
    dataset_id: UUID
    evaluation_id: UUID
    mix_id: UUID | None = Field(None, description="A second data set, blended in as `mix_schedule` says")
    replay_id: UUID | None = Field(None, description="Of what was learned before, against forgetting")

    def settings(self) -> BaseTrainSettings:
        """How to train."""
        return BaseTrainSettings(**self.dict(include=set(BaseTrainSettings.model_fields)))

    def sources(self) -> Sources:
        """What to learn from."""
        return Sources(self.dataset_id, self.evaluation_id, self.mix_id, self.replay_id)


class BaseEstimateOut(EstimateOut):
    """What the training of a base will take. `parameters`: numbers that learn. `room_bytes`: the most memory that it
    may have, null where that shows on the device alone; one that needs more is refused."""

    parameters: int
    room_bytes: int | None
