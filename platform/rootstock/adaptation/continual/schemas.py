"""What REST takes and tells of plans and runs."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from rootstock.adaptation.continual.judging import measure_holds
from rootstock.adaptation.continual.models import ContinualMeasure, ContinualPlan, ContinualRun
from rootstock.adaptation.continual.terms import MOST_GUARDS, Terms
from rootstock.adaptation.train_settings import TrainSettings

Task = Literal["chat", "classification", "tagging", "preference"]
Collection = Annotated[str, Field(max_length=63, examples=["desk-answers"])]
Cron = Annotated[str, Field(max_length=120, examples=["0 3 * * *"])]
Zone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"])]
Gain = Annotated[
    float, Field(gt=0, le=1, description="Of the deciding set's figure: less is no reason for a promotion")
]
Loss = Annotated[float, Field(ge=0, le=1, description="Of any guard's figure: more forbids a promotion")]
Least = Annotated[int, Field(ge=1, le=20_000, description="New examples: with fewer nothing is trained")]
Guards = Annotated[
    list[UUID], Field(max_length=MOST_GUARDS, description="Frozen test sets of what must not be forgotten")
]


class ContinualIn(Schema):
    """A plan for an alias. `settings.replay_share` says how much of every batch is replayed."""

    model_config = ConfigDict(extra="forbid")
    alias: Annotated[str, Field(max_length=84)]
    collection: Collection
    task: Task | None = Field(None, description="Of the data sets; the alias's where it is not given")
    test_set_id: UUID = Field(description="The frozen test set that decides")
    guard_ids: Guards = []
    minimal_gain: Gain = 0.01
    largest_loss: Loss = 0.02
    least_examples: Least = 50
    settings: TrainSettings = TrainSettings()
    cron: Cron = "0 3 * * *"
    timezone: Zone = "UTC"

    def wanted(self) -> dict[str, Any]:
        """As `plan_create` takes it."""
        names = ("alias", "collection", "cron", "timezone")
        return {name: getattr(self, name) for name in names} | {
            "task": self.task or "", "terms": terms_of(self.dict()),
        }  # fmt: skip


class ContinualChange(Schema):
    """What to change; what is left out stays. `settings` are taken as a whole.

    With the `version` that you have seen, a change that somebody made meanwhile is not overwritten: 409.
    """

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"minimal_gain": 0.02, "version": 1}}
    )
    collection: Collection | None = None
    task: Task | None = None
    test_set_id: UUID | None = None
    guard_ids: Guards | None = None
    minimal_gain: Gain | None = None
    largest_loss: Loss | None = None
    least_examples: Least | None = None
    settings: TrainSettings | None = None
    cron: Cron | None = None
    timezone: Zone | None = None
    version: int | None = None

    def wanted(self, plan: ContinualPlan) -> dict[str, Any]:
        """As `plan_update` takes it."""
        given = self.dict(exclude_none=True)
        names = ("collection", "task", "cron", "timezone", "version")
        now = plan_fields(plan) | given
        return {name: given[name] for name in names if name in given} | {"terms": terms_of(now)}


class ContinualOut(Schema):
    """A plan. `next_run_at` is null while it is paused; `note` says why the last due run was not started."""

    id: UUID
    alias: str
    collection: str
    task: str
    test_set_id: UUID
    guard_ids: list[UUID]
    minimal_gain: float
    largest_loss: float
    least_examples: int
    settings: dict[str, Any] = Field(examples=[{"replay_share": 0.2}])
    cron: str
    timezone: str
    paused: bool
    next_run_at: datetime | None
    note: str
    version: int
    made_by: str
    last_state: str | None = None
    created_at: datetime


class ContinualMeasureOut(Schema):
    """A line of the forgetting report: the figure of what served before, and of what came out.

    `holds` says whether enough was gained on the deciding set, or not too much lost on a guard.
    """

    dataset_id: UUID
    dataset: str
    is_guard: bool
    figure: str = Field(examples=["rouge_l"])
    before: float | None = Field(examples=[0.512])
    after: float | None = Field(examples=[0.574])
    difference: float | None
    holds: bool | None


class ContinualRunOut(Schema):
    """A run of a plan: gathering, training, evaluating, and then proposed, not_better, nothing_new or failed.

    `reason` says why it ended so, `note` what it waits for; `report` has a line for each test set.
    """

    id: UUID
    plan_id: UUID
    number: int
    state: str = Field(examples=["proposed"])
    reason: str
    note: str
    production: str | None = Field(examples=["support-tone@7b21c09e44d0"])
    version: str | None
    dataset_id: UUID | None
    examples: int | None
    replay_id: UUID | None
    replayed: int | None
    left_out: int
    job_id: UUID | None
    promotion_id: UUID | None
    report: list[ContinualMeasureOut]
    created_at: datetime
    finished_at: datetime | None


def terms_of(given: dict[str, Any]) -> Terms:
    """A plan's terms, from the fields of a body or a form."""
    return Terms(
        test_set=given["test_set_id"], guards=tuple(given["guard_ids"]), minimal_gain=given["minimal_gain"],
        largest_loss=given["largest_loss"], least_examples=given["least_examples"], settings=given["settings"],
    )  # fmt: skip


def plan_fields(plan: ContinualPlan) -> dict[str, Any]:
    """A plan's terms as the fields of a body or a form."""
    said = plan.said
    return {
        "test_set_id": said.test_set, "guard_ids": list(said.guards), "minimal_gain": said.minimal_gain,
        "largest_loss": said.largest_loss, "least_examples": said.least_examples,
        "settings": said.settings.model_dump(mode="json"),
    }  # fmt: skip


def plan_out(plan: ContinualPlan) -> ContinualOut:
    """A plan as it is told."""
    names = ("id", "collection", "task", "cron", "timezone", "paused", "next_run_at", "note", "version",
             "made_by", "created_at")  # fmt: skip
    told = {name: getattr(plan, name) for name in names} | plan_fields(plan)
    return ContinualOut(**told, alias=plan.alias.name, last_state=getattr(plan, "last_state", None))


def run_out(run: ContinualRun) -> ContinualRunOut:
    """A run as it is told. Inside `tenant()`, or with its measures fetched."""
    names = ("id", "plan_id", "number", "state", "reason", "note", "dataset_id", "replay_id", "left_out",
             "promotion_id", "created_at", "finished_at")  # fmt: skip
    return ContinualRunOut(
        **{name: getattr(run, name) for name in names},
        production=run.production.reference if run.production else None,
        version=run.version.reference if run.version else None,
        examples=run.dataset.rows if run.dataset else None,
        replayed=run.replay.rows if run.replay else None,
        job_id=run.training_id,
        report=[_line(measure, run.said) for measure in run.measures.all()],
    )


def _line(measure: ContinualMeasure, terms: Terms) -> ContinualMeasureOut:
    names = ("dataset_id", "is_guard", "figure", "before", "after", "difference")
    told = {name: getattr(measure, name) for name in names}
    return ContinualMeasureOut(**told, dataset=measure.dataset.name, holds=measure_holds(measure, terms))
