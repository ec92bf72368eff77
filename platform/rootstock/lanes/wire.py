"""What web and worker agree on: keys in Valkey and the form of an item. Both ends import this module only.

`lane:<name>:<generation>`        list of items; the generation is the base model's fingerprint
`alive:<name>:<generation>`       exists while a worker serves the lane
`reply:<call>`                    list of replies of one call
`stream:<id>`                     Redis stream of one request's events, with keys of its own beside it
`worker:<name>`                   what a worker process says of itself
`process:<name>`                  exists while a Celery worker takes from its queues, or beat runs: what it serves
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import redis
from django.conf import settings

from rootstock.errors import Unavailable

ALIVE_S = 4
REPLY_TTL_S = 60
STREAM_TTL_S = 900
WORKING_S = 5
PLACE_S = 15
# A reader that left may come back with Last-Event-ID; only then is the work given up.
RECONNECT_GRACE_S = 5.0


@contextmanager
def reachable() -> Iterator[None]:
    """Raises Unavailable when Valkey does not answer in the block."""
    try:
        yield
    except redis.RedisError:
        raise Unavailable("the queue is not reachable", retry_after=2) from None


def connect() -> "redis.Redis[bytes]":
    """A pooled connection to Valkey."""
    return redis.Redis.from_url(
        settings.REDIS_URL, health_check_interval=30, socket_timeout=30, max_connections=1024
    )


def queue_key(lane: str, generation: str) -> str:
    """The lane's list."""
    return f"lane:{lane}:{generation}"


def alive_key(lane: str, generation: str) -> str:
    """The lane's sign of life."""
    return f"alive:{lane}:{generation}"


def reply_key(call: str) -> str:
    """Where the replies of a call go."""
    return f"reply:{call}"


def stream_key(stream: str) -> str:
    """Where the events of a stream go."""
    return f"stream:{stream}"


def cancel_key(stream: str) -> str:
    """Set when a stream's work is no longer wanted."""
    return f"stream:{stream}:cancel"


def left_key(stream: str) -> str:
    """The time at which the last reader of a stream left; absent while one reads."""
    return f"stream:{stream}:left"


def owner_key(stream: str) -> str:
    """Who may read a stream, until when it must have begun, its queue, and since when it is there (Unix seconds)."""
    return f"stream:{stream}:owner"


def working_key(stream: str) -> str:
    """Exists while a worker is writing a stream, and ends soon after that worker has died."""
    return f"stream:{stream}:working"


def missed_key(stream: str) -> str:
    """Since when a request was neither in its queue nor in anybody's hands."""
    return f"stream:{stream}:missed"


def places_key(organisation: UUID) -> str:
    """Streams of an organisation that count towards how many it may have at once, by when they cease to."""
    return f"gateway:streams:{organisation}"


@dataclass(slots=True, frozen=True)
class Item:
    """One request on a lane."""

    call: str
    index: int
    organisation_id: UUID
    deadline: float
    request_id: str
    payload: dict[str, Any]
    stream: bool = False
    admitted_at: float = 0.0  # Unix seconds

    def encode(self) -> bytes:
        """As JSON."""
        return json.dumps(
            [
                self.call, self.index, str(self.organisation_id), self.deadline,
                self.request_id, self.payload, self.stream, self.admitted_at,
            ]
        ).encode()  # fmt: skip

    @classmethod
    def decode(cls, raw: bytes) -> "Item":
        """The inverse of `encode`."""
        call, index, organisation, *rest = json.loads(raw)
        return cls(call, index, UUID(organisation), *rest)


def encode_reply(index: int, result: dict[str, Any] | None, error: dict[str, Any] | None) -> bytes:
    """A reply: exactly one of result and error is given."""
    return json.dumps([index, result, error]).encode()


def decode_reply(raw: bytes) -> tuple[int, dict[str, Any] | None, dict[str, Any] | None]:
    """The inverse of `encode_reply`."""
    index, result, error = json.loads(raw)
    return index, result, error
