"""Identifiers: UUID version 7 (RFC 9562), so that rows created together lie together in the index."""

import os
import time
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

R = TypeVar("R", bound=Model)
CLOCKS = timedelta(minutes=5)
"""How far the clocks of two machines, or the id and the time of one row, may lie apart."""


def uuid7() -> UUID:
    """A time-ordered UUID: 48 bits of Unix milliseconds, 12 bits of their fraction, then 62 random bits."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = (nanoseconds << 12) // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | random)


def uuid7_at(moment: datetime, shift: timedelta = timedelta()) -> UUID:
    """The smallest UUID version 7 of that millisecond, or of one so much later: a bound for ranges of time over ids."""
    milliseconds = int((moment.timestamp() + shift.total_seconds()) * 1000)
    return UUID(int=min(max(milliseconds, 0), (1 << 48) - 1) << 80 | 0x7 << 76 | 0x2 << 62)


def made_between(
    rows: QuerySet[R], column: str, since: datetime | None, until: datetime | None
) -> QuerySet[R]:
    """Rows whose `column`, the time at which they were made, lies in the range.

    Ids are ordered by that time, so that an index which ends with the id serves a list in the order of ids.
    """
    if since:
        rows = rows.filter(pk__gte=uuid7_at(since, -CLOCKS), **{f"{column}__gte": since})
    if until:
        rows = rows.filter(pk__lt=uuid7_at(until, CLOCKS), **{f"{column}__lt": until})
    return rows
