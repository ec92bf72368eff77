"""Bodies of models of an organisation."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, StrictBool

from apps.fraud.bundles.comparing import warning_of
from apps.fraud.bundles.models import ModelInForce, ModelMove, ModelRequest, ModelVersion
from apps.fraud.four_eyes.schemas import FraudAgreedIn, FraudBecauseIn, FraudRollBackIn, Reason, VersionNumber
from models_zoo.fraud.card import read_card
from rootstock.jobs.schemas import JobOut


class FraudTrainingIn(Schema):
    """How to train. It is the job's parameters."""

    model_config = ConfigDict(extra="forbid")
    tune: Annotated[
        StrictBool,
        Field(
            description="Try a few settings of boosting first, and train with those that rank the first part of the "
            "validation days best, if by more than chance. Takes about ten times as long as training it once"
        ),
    ] = False


class FraudTrainingOut(Schema):
    """The job that trains a model."""

    job: JobOut


class FraudModelOut(Schema):
    """A version of the organisation's model. It is never changed."""

    number: int
    reference: str = Field(examples=["fraud@5b1d7c0a9e3f"])
    digest: str
    bytes: int
    job_id: UUID | None
    made_by: str
    created_at: datetime
    figures: dict[str, Any] = Field(
        description="On the last days, which it had not seen: average_precision, roc_auc, precision_at_budget and more "
        "of the model (under the name that its card says `decides`), of its experts alone, of hand_rules, of plain "
        "boosting and of the shipped model, there with the difference in AP and its 95 % interval (`gain`); "
        "cost_curve and calibration of the model"
    )
    warning: str = Field(
        description="Where it is not shown to be better than the shipped model, that in a sentence; empty if it is",
        examples=["On the last days it is not shown to be better than the shipped model."],
    )


class FraudModelDetailOut(FraudModelOut):
    """A version with its whole card: data, split, settings, thresholds."""

    card: dict[str, Any] = Field(
        description="Of a tuned version `tuning` has the `trials`, each with its settings, rounds and "
        "average_precision in the `window`, which of them was the `best`, by what `gain` over the first, and which was "
        "`chosen` by what `rule`"
    )


class FraudModelInForceOut(Schema):
    """Which model scores. `current` is null for the shipped one; `generation` counts the moves."""

    current: FraudModelOut | None
    reference: str = Field(examples=["fraud@4fac5758e32f"])
    generation: int


class FraudModelRequestIn(Schema):
    """Which version should score, and why."""

    model_config = ConfigDict(extra="forbid")
    version: VersionNumber = Field(examples=[1])
    reason: Reason


class FraudModelBecauseIn(FraudBecauseIn):
    """Why."""


class FraudModelAgreedIn(FraudAgreedIn):
    """What the second person has to say, if anything."""


class FraudModelRollBackIn(FraudRollBackIn):
    """Why, and what was seen."""


class FraudModelRequestOut(Schema):
    """A request that a version scores. `warning` is the version's."""

    id: UUID
    version: int
    model: str
    warning: str = Field(examples=["On the last days it is not shown to be better than the shipped model."])
    reason: str
    state: str
    requested_by: str
    decided_by: str
    because: str
    created_at: datetime
    decided_at: datetime | None


class FraudModelMoveOut(Schema):
    """One change of the model that scores; null is the shipped one."""

    generation: int
    kind: str
    before: str | None
    after: str | None
    moved_by: str
    reason: str
    at: datetime


def model_out(row: ModelVersion) -> FraudModelDetailOut:
    """A version."""
    names = ("number", "reference", "digest", "bytes", "job_id", "made_by", "created_at", "card")
    told = {name: getattr(row, name) for name in names}
    return FraudModelDetailOut(**told, figures=row.card["figures"]["test"], warning=warning_of(row.card))


def in_force_out(row: ModelInForce) -> FraudModelInForceOut:
    """What scores now."""
    current = model_out(row.current) if row.current else None
    reference = row.current.reference if row.current else read_card().reference
    return FraudModelInForceOut(current=current, reference=reference, generation=row.generation)


def request_out(row: ModelRequest) -> FraudModelRequestOut:
    """A request, fetched with its version."""
    names = ("id", "reason", "state", "requested_by", "decided_by", "because", "created_at", "decided_at")
    told = {name: getattr(row, name) for name in names}
    version = row.version
    return FraudModelRequestOut(
        **told, version=version.number, model=version.reference, warning=warning_of(version.card)
    )


def move_out(row: ModelMove) -> FraudModelMoveOut:
    """A move, fetched with what it led from and to."""
    told = {name: getattr(row, name) for name in ("generation", "kind", "moved_by", "reason", "at")}
    before, after = (one.reference if one else None for one in (row.before, row.after))
    return FraudModelMoveOut(**told, before=before, after=after)
