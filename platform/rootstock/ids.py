"""Identifiers: UUID version 7 (RFC 9562), so that rows created together lie together in the index."""

import os
import time
from datetime import datetime
from uuid import UUID


def uuid7() -> UUID:
    """A time-ordered UUID: 48 bits of Unix milliseconds, 12 bits of their fraction, then 62 random bits."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = (nanoseconds << 12) // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | random)


def uuid7_at(moment: datetime) -> UUID:
    """The smallest UUID version 7 of that millisecond: a bound for ranges of time over ids."""
    return UUID(int=int(moment.timestamp() * 1000) << 80 | 0x7 << 76 | 0x2 << 62)
