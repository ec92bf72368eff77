"""What a plan says of its runs: what is measured, how much better is better, how it is trained."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from rootstock.adaptation.train_settings import TrainSettings

MOST_GUARDS = 8


class Terms(BaseModel):
    """A plan's terms. A run keeps those that held when it began. Figures lie between 0 and 1."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    test_set: UUID
    guards: Annotated[tuple[UUID, ...], Field(max_length=MOST_GUARDS)] = ()
    minimal_gain: Annotated[float, Field(gt=0, le=1)] = 0.01
    largest_loss: Annotated[float, Field(ge=0, le=1)] = 0.02
    least_examples: Annotated[int, Field(ge=1, le=20_000)] = 50
    settings: TrainSettings = TrainSettings()

    @property
    def measured_on(self) -> tuple[UUID, ...]:
        """Every set that both versions are measured on, the deciding one first."""
        return (self.test_set, *self.guards)
