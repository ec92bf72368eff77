"""What people say when they ask, agree, refuse and go back. Each side names these bodies of its own."""

from typing import Annotated

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]


class FraudBecauseIn(Schema):
    """Why."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason


class FraudAgreedIn(Schema):
    """What the second person has to say, if anything."""

    model_config = ConfigDict(extra="forbid")
    because: Annotated[str, StringConstraints(max_length=300)] = ""


class FraudRollBackIn(FraudBecauseIn):
    """Why, and what was seen."""

    generation: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        None, description="As seen; another one refuses the roll-back"
    )
