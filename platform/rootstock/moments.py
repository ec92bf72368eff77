"""Moments that callers name."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

FIRST, LAST = 1900, 2200


def _likely(moment: datetime) -> datetime:
    if not FIRST <= moment.year <= LAST:
        raise ValueError(f"must lie between the years {FIRST} and {LAST}")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_likely)]
"""A date and time with its offset, as the same in UTC. Without an offset, or centuries away, it is refused."""
