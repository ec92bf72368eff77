"""Moments that callers name."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

FIRST, LAST = 1900, 2200


def _written(value: Any) -> Any:
    """A bare number would be taken for seconds or milliseconds, whichever fits."""
    if isinstance(value, datetime) or (isinstance(value, str) and ":" in value):
        return value
    raise ValueError("must be a date and time with its offset from UTC, such as 2026-03-02T09:00:00Z")


Timestamp = Annotated[AwareDatetime, BeforeValidator(_written)]
"""A date and time with its offset."""


def _likely(moment: datetime) -> datetime:
    if not FIRST <= moment.year <= LAST:
        raise ValueError(f"must lie between the years {FIRST} and {LAST}")
    return moment.astimezone(UTC)


Moment = Annotated[Timestamp, AfterValidator(_likely)]
"""A date and time with its offset, as the same in UTC. Without an offset, or centuries away, it is refused."""
