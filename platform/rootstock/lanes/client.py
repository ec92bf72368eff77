"""Ask a worker something and wait for the answer, or open a stream of events."""

import time
from collections.abc import Sequence
from functools import cache
from typing import Any, cast
from uuid import UUID, uuid4

import redis
from django.conf import settings

from rootstock.accounts.models import Organisation
from rootstock.errors import Busy, DeadlineExceeded, Unavailable, from_dict
from rootstock.lanes import wire
from rootstock.lanes.generation import generation_of
from rootstock.middleware import request_id

# All or nothing: refused when no worker serves the lane, or when the queue would grow past its limit.
_ADMIT = """
if redis.call('EXISTS', KEYS[2]) == 0 then return -1 end
if redis.call('LLEN', KEYS[1]) + #ARGV - 2 > tonumber(ARGV[1]) then return -2 end
for i = 3, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return #ARGV - 2
"""


_LOOK_S = 1.0


@cache
def connection() -> "redis.Redis[bytes]":
    """This process's pooled connection."""
    return wire.connect()


def call(
    lane: str,
    payloads: Sequence[dict[str, Any]],
    *,
    organisation: Organisation | UUID,
    deadline_s: float | None = None,
) -> list[dict[str, Any]]:
    """The worker's results, in the order of the payloads.

    Raises Unavailable (no worker), Busy (queue full), DeadlineExceeded, or the first error a handler answered with.
    """
    if not payloads:
        return []
    call_id, deadline = uuid4().hex, time.time() + (deadline_s or settings.LANES[lane].deadline_s)
    _admit(lane, _items(call_id, payloads, organisation, deadline, stream=False))
    return _collect(lane, call_id, len(payloads), deadline)


def open_stream(
    lane: str, payload: dict[str, Any], *, organisation: Organisation | UUID, deadline_s: float | None = None
) -> str:
    """Start a streamed answer; returns the id that `lanes.streams` reads it by."""
    stream_id, deadline = uuid4().hex, time.time() + (deadline_s or settings.LANES[lane].deadline_s)
    organisation_id = organisation if isinstance(organisation, UUID) else organisation.pk
    with wire.reachable():
        connection().set(wire.owner_key(stream_id), f"{organisation_id} {deadline}", ex=wire.STREAM_TTL_S)
    _admit(lane, _items(stream_id, [payload], organisation, deadline, stream=True))
    return stream_id


def _items(
    call_id: str,
    payloads: Sequence[dict[str, Any]],
    organisation: Organisation | UUID,
    deadline: float,
    *,
    stream: bool,
) -> list[bytes]:
    organisation_id = organisation if isinstance(organisation, UUID) else organisation.pk
    return [
        wire.Item(call_id, index, organisation_id, deadline, request_id.get(), payload, stream).encode()
        for index, payload in enumerate(payloads)
    ]


def _admit(lane: str, items: list[bytes]) -> None:
    limit, generation = settings.LANES[lane].queue_limit, generation_of(lane)
    keys = [wire.queue_key(lane, generation), wire.alive_key(lane, generation)]
    with wire.reachable():
        admitted = connection().eval(_ADMIT, 2, *keys, limit, 600, *items)  # type: ignore[no-untyped-call]
    if admitted == -1:
        raise Unavailable(f"no worker serves {lane} now", retry_after=2)
    if admitted == -2:
        raise Busy(f"the queue of {lane} is full", retry_after=1)


def _collect(lane: str, call_id: str, wanted: int, deadline: float) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = [{} for _ in range(wanted)]
    missing = wanted
    while missing:
        with wire.reachable():
            raws = _replies(lane, wire.reply_key(call_id), missing, deadline)
        for raw in raws:
            index, result, error = wire.decode_reply(raw)
            if error is not None:
                raise from_dict(error)
            results[index] = result or {}
        missing -= len(raws)
    return results


def _replies(lane: str, key: str, missing: int, deadline: float) -> list[bytes]:
    """The replies that are there, at least one. Waits in slices, so that a worker's death is noticed."""
    alive = wire.alive_key(lane, generation_of(lane))
    while (remaining := deadline - time.time()) > 0.001:
        popped = connection().blpop([key], timeout=min(remaining, _LOOK_S))
        if popped is not None:
            rest = connection().lpop(key, missing - 1) if missing > 1 else None
            return [popped[1], *cast("list[bytes]", rest or [])]
        if not connection().exists(alive):
            raise Unavailable(f"the worker that serves {lane} is gone", retry_after=2)
    raise DeadlineExceeded(f"{lane} did not answer in time", retry_after=1)
