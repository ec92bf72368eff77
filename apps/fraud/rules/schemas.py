"""Bodies of rules: what is written, what is told."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

from apps.fraud.four_eyes.schemas import FraudAgreedIn, FraudBecauseIn, FraudRollBackIn, Reason, VersionNumber
from apps.fraud.rules.models import RulesInForce, RulesMove, RulesRequest, RulesVersion

MOST_RULES = 200
Line = Annotated[str, StringConstraints(min_length=1, max_length=160, pattern=r"^[^\x00-\x1f\x7f]+$")]
Points = Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)]
Threshold = Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)]


class FraudRuleIn(Schema):
    """One rule. `points` count while `when` holds; negative ones speak for the payment."""

    model_config = ConfigDict(extra="forbid")
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,39}$")] = Field(
        examples=["MANY_NEW_PAYERS"]
    )
    text: Line = Field(
        description="What analysts read", examples=["Paid by many accounts that never paid it before"]
    )
    when: str = Field(
        description="The condition, in the language of rules", examples=["payee_distinct_payers_24h >= 5"]
    )
    points: Points = Field(examples=[40])


class TypologyIn(Schema):
    """Rules that speak of one way of fraud. `weight` multiplies their points."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")] = Field(
        examples=["mule_fan_in"]
    )
    label: Line = Field(examples=["Mule account, collecting"])
    weight: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 1.0
    rules: Annotated[list[FraudRuleIn], Field(min_length=1, max_length=50)]


class DefinitionIn(Schema):
    """Rules by typology, and from how many points on a payment is reviewed and declined."""

    model_config = ConfigDict(extra="forbid")
    review: Threshold = Field(examples=[50])
    decline: Threshold = Field(description="At least `review`", examples=[100])
    typologies: Annotated[list[TypologyIn], Field(min_length=1, max_length=50)]


class RulesIn(DefinitionIn):
    """A new version of the rules."""

    note: Annotated[str, StringConstraints(max_length=300)] = Field("", description="What is new about it")

    def definition(self) -> dict[str, Any]:
        """What is stored."""
        return self.model_dump(exclude={"note"})


class RulesCheckedOut(Schema):
    """A definition that holds water: how many rules it has, and which facts they read."""

    rules: int
    facts: list[str] = Field(examples=[["amount", "channel"]])


class RuleFactOut(Schema):
    """A name that rules can read."""

    name: str = Field(examples=["amount"])
    kind: str = Field(description="number, flag (true or false, or 1 and 0) or channel", examples=["number"])
    meaning: str = Field(examples=["amount in euros (or brought to their scale)"])


class RulesVersionOut(Schema):
    """A version of the rules. It is never changed."""

    number: int
    reference: str = Field(examples=["rules@3-9c1b2f4e8a7d"])
    digest: str
    note: str
    made_by: str
    created_at: datetime


class RulesVersionDetailOut(RulesVersionOut):
    """A version with its rules."""

    definition: DefinitionIn


class RulesInForceOut(Schema):
    """What decides now, and what is tried in its shadow. `generation` counts the moves."""

    current: RulesVersionOut | None
    shadow: RulesVersionOut | None
    generation: int
    lists: int = Field(description="Counts the changes of the lists")


class RulesRequestIn(Schema):
    """Which version should come into force, and why."""

    model_config = ConfigDict(extra="forbid")
    version: VersionNumber = Field(examples=[3])
    reason: Reason


class RulesBecauseIn(FraudBecauseIn):
    """Why."""


class RulesAgreedIn(FraudAgreedIn):
    """What the second person has to say, if anything."""


class RulesRollBackIn(FraudRollBackIn):
    """Why, to which version, and what was seen."""

    version: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        None, description="One that was in force; without it the one before, 0 for no rules at all"
    )


class RulesRequestOut(Schema):
    """A request that a version comes into force. `because` is what the second person said."""

    id: UUID
    version: int
    reference: str = Field(examples=["rules@3-9c1b2f4e8a7d"])
    reason: str
    state: str = Field(examples=["open"])
    requested_by: str
    decided_by: str
    because: str
    created_at: datetime
    decided_at: datetime | None


class RulesMoveOut(Schema):
    """A change of what is in force or in the shadow."""

    generation: int
    kind: str = Field(examples=["serve"])
    before: str = Field(examples=["rules@2-7b21c09e44d0"])
    after: str = Field(examples=["rules@3-9c1b2f4e8a7d"])
    request_id: UUID | None
    moved_by: str
    reason: str
    at: datetime


def in_force_out(row: RulesInForce) -> RulesInForceOut:
    """What is in force as it is told."""
    return RulesInForceOut(
        current=RulesVersionOut.from_orm(row.current) if row.current else None,
        shadow=RulesVersionOut.from_orm(row.shadow) if row.shadow else None,
        generation=row.generation,
        lists=row.lists,
    )


def request_out(row: RulesRequest) -> RulesRequestOut:
    """A request as it is told."""
    names = [name for name in RulesRequestOut.model_fields if name not in ("version", "reference")]
    told: dict[str, Any] = {name: getattr(row, name) for name in names}
    return RulesRequestOut(**told, version=row.version.number, reference=row.version.reference)


def version_out(row: RulesVersion) -> RulesVersionDetailOut:
    """A version with its rules as it is told."""
    return RulesVersionDetailOut.from_orm(row)


def move_out(row: RulesMove) -> RulesMoveOut:
    """A move as it is told."""
    return RulesMoveOut.from_orm(row)
