"""Bodies of back-tests and of the shadow."""

from typing import Annotated

from ninja import Schema
from pydantic import ConfigDict, Field

from rootstock.jobs.schemas import JobOut
from rootstock.moments import Timestamp

Cost = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class BacktestIn(Schema):
    """What to try on which part of the history, and what mistakes cost in euros. A missed fraud costs its amount."""

    model_config = ConfigDict(extra="forbid")
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] = Field(examples=[3])
    since: Timestamp | None = None
    until: Timestamp | None = None
    review_cost: Cost = Field(5.0, description="Of one payment that somebody looks at")
    decline_cost: Cost = Field(50.0, description="Of one genuine payment that is declined")


class FiguresOut(Schema):
    """What became of the history. Precision and recall are of alerts, reviews and declines together; null is none."""

    reviews: int
    declines: int
    alerts_per_day: float | None
    precision: float | None
    recall: float | None
    recall_of_amount: float | None = Field(description="Share of the frauds' money")
    genuine_declined: int
    frauds_missed: int
    amount_missed: float
    cost: float


class SuggestedOut(FiguresOut):
    """The thresholds that would have cost least, and what they would have done; null is never."""

    review: float | None
    decline: float | None


class PartOut(Schema):
    """Alerts, and the frauds among them."""

    alerts: int
    frauds: int


class OverlapOut(Schema):
    """Alerts of the version and of what is in force, each with the model."""

    both: PartOut
    only_version: PartOut
    only_in_force: PartOut


class TypologyFiguresOut(Schema):
    """On how many payments a rule of a typology held."""

    name: str
    hits: int
    frauds: int
    precision: float | None


class RuleFiguresOut(Schema):
    """On how many payments a rule held, and on how many as the only one."""

    code: str = Field(examples=["MANY_NEW_PAYERS"])
    typology: str = Field(examples=["mule_fan_in"])
    hits: int
    hits_alone: int
    frauds: int
    precision: float | None


class BacktestResultOut(Schema):
    """A version on history. Payments without a label count as genuine; those `undecided` have a `score` of 0."""

    rules: str = Field(examples=["rules@3-9c1b2f4e8a7d"])
    in_force: str = Field(examples=["rules@2-7b21c09e44d0"])
    payments: int
    days: float
    labelled: int
    frauds: int
    undecided: int
    version: FiguresOut = Field(description="With the model")
    version_alone: FiguresOut
    present: FiguresOut = Field(description="What is in force, with the model")
    model_alone: FiguresOut
    overlap: OverlapOut
    typologies: list[TypologyFiguresOut]
    by_rule: list[RuleFiguresOut]
    suggested: SuggestedOut


class BacktestOut(Schema):
    """A back-test: its job, and the result once that has succeeded."""

    job: JobOut
    result: BacktestResultOut | None


class CountOut(Schema):
    """Payments, and those of them that are known as fraud."""

    payments: int
    frauds: int


class HitsOut(Schema):
    """How often a rule held."""

    code: str = Field(examples=["MANY_NEW_PAYERS"])
    hits: int
    frauds: int


class ShadowOut(Schema):
    """What decisions would have been with the version in the shadow, beside what they were."""

    rules: str = Field(examples=["rules@3-9c1b2f4e8a7d"])
    compared: CountOut
    same: CountOut
    alerts: CountOut
    declines: CountOut
    shadow_alerts: CountOut
    shadow_declines: CountOut
    both_alert: CountOut
    only_shadow_alerts: CountOut
    only_decision_alerts: CountOut
    by_rule: list[HitsOut]
