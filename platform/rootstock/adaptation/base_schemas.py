"""What the training of a base is asked for."""

from typing import Annotated, Literal
from uuid import UUID

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field


class BaseTrainSettings(BaseModel):
    """How to train a base. The names are those of the trainer's `BaseSpec`.

    `recipe` "full" trains every weight; "distil" makes a student of `student_layers` of the base's layers, which learns
    its layers' states for `feature_epochs`, how it attends for `attention_epochs`, and its answers for `epochs`.
    `form` is how the new base is quantized.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    recipe: Literal["full", "distil"] = "full"
    form: Literal["int4", "int8", "mixed"] = "int8"
    compute: Literal["float32", "bfloat16", "float16"] = "float32"
    recompute: bool | None = None
    epochs: Annotated[float, Field(gt=0, le=50)] = 3.0
    max_steps: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    batch_size: Annotated[int, Field(ge=1, le=256)] = 8
    accumulation: Annotated[int, Field(ge=1, le=64)] = 1
    max_tokens: Annotated[int, Field(ge=16, le=4096)] = 256
    learning_rate: Annotated[float, Field(gt=0, le=0.01)] = 2e-5
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    schedule: Literal["cosine", "linear", "constant", "exponential"] = "cosine"
    warmup: Annotated[float, Field(ge=0, le=0.5)] = 0.06
    clip: Annotated[float, Field(gt=0, le=100)] = 1.0
    label_smoothing: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    evaluate_every: Annotated[int | None, Field(ge=1, le=100_000)] = None
    patience: Annotated[int | None, Field(ge=1, le=1000)] = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    student_layers: Annotated[int | None, Field(ge=1, le=1024)] = None
    feature_epochs: Annotated[float, Field(gt=0, le=50)] = 1.0
    attention_epochs: Annotated[float, Field(gt=0, le=50)] = 1.0
    temperature: Annotated[float, Field(gt=0, le=20)] = 2.0
    hard_share: Annotated[float, Field(ge=0, le=1)] = 0.5


class BaseTrainParams(BaseModel):
    """The parameters of such a job. `base` is empty for the served one, or names one that was trained here."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
    base: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9-]{1,62}@[0-9a-f]{12})?$")] = ""
    dataset: UUID
    evaluation: UUID
    settings: BaseTrainSettings = BaseTrainSettings()


class BaseTrainIn(BaseTrainSettings, Schema):
    """What to train, from which base (the served one unless `base` names one that was trained here), on which data, and
    what to measure it on."""

    name: str
    base: str = ""
    dataset_id: UUID
    evaluation_id: UUID

    def settings(self) -> BaseTrainSettings:
        """How to train."""
        return BaseTrainSettings(**self.dict(include=set(BaseTrainSettings.model_fields)))
