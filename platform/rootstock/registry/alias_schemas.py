"""What REST takes and tells of aliases and promotions."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

from rootstock.registry.models import AdapterVersion, Alias, AliasMove, Promotion

Reason = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class BecauseIn(Schema):
    """Why."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason


class RollBackIn(BecauseIn):
    """Why, and what was seen."""

    generation: int | None = Field(
        None, description="Of the alias, as seen; another one refuses the roll-back"
    )


class EndIn(BecauseIn):
    """What is to end, and why."""

    what: Literal["canary", "shadow"]


class PromotionIn(BecauseIn):
    """What an alias should serve: everybody (`serve`), a share of the requests (`canary`), or unseen (`shadow`)."""

    alias: str = Field(examples=["support-tone:production"])
    version: str = Field(examples=["support-tone@a3f5a3f5a3f5"])
    change: Literal["serve", "canary", "shadow"] = "serve"
    share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Of a canary or shadow, at least 0.001 and less than 1"
    )


class ApprovalIn(Schema):
    """What the second person has to say, if anything; to agree without an evaluation they have to say why."""

    model_config = ConfigDict(extra="forbid")
    because: Annotated[str, StringConstraints(max_length=300)] = ""
    without_evaluation: bool = False


class PromotionOut(Schema):
    """A request to change what an alias serves. `because` is what the second person said."""

    id: UUID
    alias: str
    version: str
    change: str
    share: float
    reason: str
    state: str
    requested_by: str
    decided_by: str
    because: str
    created_at: datetime
    decided_at: datetime | None


class AliasOut(Schema):
    """What an alias serves now. `generation` counts its moves."""

    name: str
    task: str
    current: str
    canary: str | None
    canary_share: float
    shadow: str | None
    shadow_share: float
    generation: int
    moved_at: datetime


class MoveOut(Schema):
    """One move of an alias."""

    generation: int
    move: str
    before: str
    after: str
    share: float
    reason: str
    moved_by: str
    promotion_id: UUID | None
    at: datetime


def promotion_out(row: Promotion) -> PromotionOut:
    """A promotion as it is told."""
    names = [name for name in PromotionOut.model_fields if name != "version"]
    told: dict[str, Any] = {name: getattr(row, name) for name in names}
    return PromotionOut(**told, version=row.version.reference)


def alias_out(row: Alias) -> AliasOut:
    """An alias as it is told."""
    return AliasOut(
        name=row.name, task=row.current.task, current=row.current.reference, canary=_reference(row.canary),
        canary_share=row.canary_share, shadow=_reference(row.shadow), shadow_share=row.shadow_share,
        generation=row.generation, moved_at=row.moved_at,
    )  # fmt: skip


def move_out(row: AliasMove) -> MoveOut:
    """A move as it is told."""
    return MoveOut.from_orm(row)


def _reference(version: AdapterVersion | None) -> str | None:
    return version.reference if version else None
