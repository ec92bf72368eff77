"""Ask a worker something and wait for the answer, or open a stream of events."""

import random
import time
from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import redis
from django.conf import settings

from rootstock.accounts.models import Organisation
from rootstock.errors import Busy, DeadlineExceeded, Unavailable, from_dict
from rootstock.lanes import wire
from rootstock.lanes.generation import generation_of
from rootstock.middleware import request_id
from rootstock.privacy import transit
from rootstock.resp import Command, Lines

# All or nothing: refused when no worker serves the lane, or when the queue would grow past its limit. A caller that
# waits for replies hears of a refusal there; one that opens a stream reads what the script returns.
_ADMIT = b"""
local refused = 0
if redis.call('EXISTS', KEYS[2]) == 0 then refused = -1
elseif redis.call('LLEN', KEYS[1]) + #ARGV - 2 > tonumber(ARGV[1]) then refused = -2 end
if refused < 0 then
  if KEYS[3] then
    redis.call('RPUSH', KEYS[3], refused)
    redis.call('EXPIRE', KEYS[3], ARGV[2])
  end
  return refused
end
for i = 3, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return #ARGV - 2
"""
_NO_WORKER, _FULL = -1, -2
_REFUSALS = (b"-1", b"-2")
_LOOK_S = 1.0


@cache
def lines() -> Lines:
    """A connection for each thread that waits for answers."""
    return Lines(settings.REDIS_URL, timeout_s=30.0)


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
    call_id, deadline = (
        f"{random.getrandbits(128):032x}",
        time.time() + (deadline_s or settings.LANES[lane].deadline_s),
    )
    payloads = _concealed(lane, payloads, call_id)
    admit = _admission(lane, _items(call_id, payloads, organisation, deadline, stream=False), call_id)
    with wire.reachable():
        found = lines().ask(*_taking(call_id, len(payloads), deadline), unanswered=[admit])
    return _collect(lane, call_id, len(payloads), deadline, _raws(found))


def open_stream(
    lane: str,
    payload: dict[str, Any],
    *,
    organisation: Organisation | UUID,
    deadline_s: float | None = None,
    stream_id: str = "",
) -> str:
    """Start a streamed answer; returns the id that `lanes.streams` reads it by."""
    stream_id, now = stream_id or uuid4().hex, time.time()
    deadline = now + (deadline_s or settings.LANES[lane].deadline_s)
    organisation_id = organisation if isinstance(organisation, UUID) else organisation.pk
    told = f"{organisation_id} {deadline} {wire.queue_key(lane, generation_of(lane))} {now}"
    with wire.reachable():
        connection().set(wire.owner_key(stream_id), told, ex=wire.STREAM_TTL_S)
    payloads = _concealed(lane, [payload], stream_id)
    with wire.reachable():
        admitted = lines().ask(
            _admission(lane, _items(stream_id, payloads, organisation, deadline, stream=True))
        )
    _refuse(lane, admitted[0])
    return stream_id


def _concealed(lane: str, payloads: Sequence[dict[str, Any]], call_id: str) -> Sequence[dict[str, Any]]:
    """As they may lie in Valkey and in its file."""
    if not settings.LANES[lane].sealed:
        return payloads
    return [transit.conceal(payload, f"{call_id}:{index}") for index, payload in enumerate(payloads)]


def _items(
    call_id: str,
    payloads: Sequence[dict[str, Any]],
    organisation: Organisation | UUID,
    deadline: float,
    *,
    stream: bool,
) -> list[bytes]:
    organisation_id = organisation if isinstance(organisation, UUID) else organisation.pk
    common = (organisation_id, deadline, request_id.get())
    return [
        wire.Item(call_id, index, *common, payload, stream, time.time()).encode()
        for index, payload in enumerate(payloads)
    ]


def _admission(lane: str, items: list[bytes], call_id: str = "") -> Command:
    limit, generation = settings.LANES[lane].queue_limit, generation_of(lane)
    keys = [wire.queue_key(lane, generation), wire.alive_key(lane, generation)]
    if call_id:
        keys.append(wire.reply_key(call_id))
    return ["EVAL", _ADMIT, len(keys), *keys, limit, 600, *items]


def _refuse(lane: str, admitted: int) -> None:
    if admitted == _NO_WORKER:
        raise Unavailable(f"no worker serves {lane} now", retry_after=2)
    if admitted == _FULL:
        raise Busy(f"the queue of {lane} is full", retry_after=1)


def _taking(call_id: str, missing: int, deadline: float) -> list[Command]:
    """Wait for a reply, and take what else is there. The wait is a slice, so that a worker's death is noticed."""
    key, wait = wire.reply_key(call_id), min(max(deadline - time.time(), 0.001), _LOOK_S)
    first: Command = ["BLPOP", key, f"{wait:.3f}"]
    return [first, ["LPOP", key, missing - 1]] if missing > 1 else [first]


def _raws(found: list[Any]) -> list[bytes]:
    popped, *rest = found
    return [*(popped[1:] if popped else ()), *((rest[0] if rest else None) or ())]


def _collect(
    lane: str, call_id: str, wanted: int, deadline: float, raws: list[bytes]
) -> list[dict[str, Any]]:
    results: list[dict[str, Any] | None] = [None] * wanted
    while True:
        for raw in raws:
            if raw in _REFUSALS:
                _refuse(lane, int(raw))
            index, result, error = wire.decode_reply(raw)
            if error is not None:
                raise from_dict(error)
            results[index] = transit.reveal(result or {}, f"{call_id}:{index}:answer")
        missing = results.count(None)  # not a count of replies: one that was sent twice is none more
        if not missing:
            return [result or {} for result in results]
        raws = _more(lane, call_id, missing, deadline, waited_in_vain=not raws)


def _more(lane: str, call_id: str, missing: int, deadline: float, *, waited_in_vain: bool) -> list[bytes]:
    if deadline - time.time() <= 0.001:
        raise DeadlineExceeded(f"{lane} did not answer in time", retry_after=1)
    with wire.reachable():
        if waited_in_vain and not connection().exists(wire.alive_key(lane, generation_of(lane))):
            raise Unavailable(f"the worker that serves {lane} is gone", retry_after=2)
        return _raws(lines().ask(*_taking(call_id, missing, deadline)))
