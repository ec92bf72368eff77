"""Read a stream of events: in Python, or as server-sent events with resume."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection as database
from django.http import StreamingHttpResponse

from rootstock.accounts.models import Organisation
from rootstock.errors import InvalidInput, NotFound, Unavailable
from rootstock.lanes import wire
from rootstock.lanes.client import connection, lines
from rootstock.privacy import transit

FINAL_TYPES = ("done", "error")
_HEARTBEAT_S = 10.0
_BLOCK_MS = 2000
_MISSED_S = 5.0  # a worker that took a request shows it long before
_SKEW_S = 5.0  # the most by which the clocks of two web hosts differ
# A queue is served from its head: what came before the head is in somebody's hands, or was lost with its taker.
_MISSED = b"""
local head = redis.call('LINDEX', KEYS[1], 0)
if head and tonumber(string.match(head, '([%d.]+)%]$') or 0) <= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'NX', 'EX', 60)
return redis.call('GET', KEYS[2])
"""
_EVENT_ID = re.compile(r"[0-9]{1,19}(-[0-9]{1,19})?")


@dataclass(slots=True, frozen=True)
class StreamEvent:
    """One event; `id` resumes behind it."""

    id: str
    type: str
    data: dict[str, Any]


def read_stream(
    stream_id: str,
    *,
    organisation: Organisation | UUID,
    last_event_id: str = "0",
    abandoned: Callable[[], None] | None = None,
) -> Iterator[StreamEvent | None]:
    """Events after `last_event_id` until the final one; None about every ten seconds in which nothing comes.

    `abandoned` is called when nobody writes the rest. Raises NotFound for a stream that is over and gone, or another
    organisation's.
    """
    check_stream(stream_id, organisation=organisation)
    return _events(stream_id, _checked_id(last_event_id), abandoned)


def check_stream(stream_id: str, *, organisation: Organisation | UUID) -> None:
    """Raise NotFound unless the organisation may read the stream."""
    with wire.reachable():
        raw = connection().get(wire.owner_key(stream_id))
    wanted = organisation if isinstance(organisation, UUID) else organisation.pk
    if raw is None or raw.decode().split()[0] != str(wanted):
        raise NotFound("no such stream, or it has ended a while ago")


def is_abandoned(stream_id: str) -> bool:
    """Whether nobody will write the rest: the worker died, also while it took the request, or none did in time."""
    with wire.reachable():
        owner, working = connection().mget(wire.owner_key(stream_id), wire.working_key(stream_id))
        newest = connection().xrevrange(wire.stream_key(stream_id), count=1)
    if working is not None:
        return False
    if newest:
        return newest[0][1][b"type"].decode() not in FINAL_TYPES
    return owner is None or _is_overdue(stream_id, *owner.decode().split()[1:])


def _is_overdue(stream_id: str, deadline: str, queue: str, admitted_at: str) -> bool:
    now, keys = time.time(), (queue, wire.missed_key(stream_id))
    with wire.reachable():
        [since] = lines().ask(["EVAL", _MISSED, 2, *keys, float(admitted_at) + _SKEW_S, now])
    return float(deadline) < now or (bool(since) and now - float(since) > _MISSED_S)


def cancel_stream(stream_id: str) -> None:
    """Tell the worker that nobody wants the rest."""
    connection().set(wire.cancel_key(stream_id), 1, ex=wire.STREAM_TTL_S)


def _checked_id(last_event_id: str) -> str:
    if not _EVENT_ID.fullmatch(last_event_id or "0"):
        raise InvalidInput.field("Last-Event-ID", "is not an event id of this stream")
    return last_event_id or "0"


def _events(stream_id: str, last: str, abandoned: Callable[[], None] | None) -> Iterator[StreamEvent | None]:
    quiet_since, key = time.monotonic(), wire.stream_key(stream_id)
    while True:
        [answer] = lines().ask(["XREAD", "COUNT", 100, "BLOCK", _BLOCK_MS, "STREAMS", key, last])
        for raw_id, words in answer[0][1] if answer else ():
            last, quiet_since = raw_id.decode(), time.monotonic()
            fields = dict(zip(words[::2], words[1::2], strict=True))
            data = transit.reveal(json.loads(fields[b"data"]), f"{stream_id}:event")
            event = StreamEvent(last, fields[b"type"].decode(), data)
            yield event
            if event.type in FINAL_TYPES:
                return
        if not answer and is_abandoned(stream_id):
            cancel_stream(stream_id)  # should it come to life again
            if abandoned:
                abandoned()
            yield StreamEvent(
                last, "error", Unavailable("the worker stopped before the answer was finished").as_dict()
            )
            return
        if time.monotonic() - quiet_since > _HEARTBEAT_S:
            quiet_since = time.monotonic()
            yield None


def _frame(event: StreamEvent | None) -> bytes:
    if event is None:
        return b": still here\n\n"
    return f"id: {event.id}\nevent: {event.type}\ndata: {json.dumps(event.data)}\n\n".encode()


def _frames(stream_id: str, events: Iterator[StreamEvent | None]) -> Iterator[bytes]:
    finished = False
    connection().delete(wire.left_key(stream_id))
    try:
        yield b"retry: 1000\n\n"
        for event in events:
            yield _frame(event)
            finished = event is not None and event.type in FINAL_TYPES
    finally:
        if not finished:  # the client went away: a worker stops unless it comes back within the grace
            connection().set(wire.left_key(stream_id), time.time(), ex=wire.STREAM_TTL_S)


def release_connection() -> None:
    """Give this thread's database connection back to the pool, before a wait in which it is not needed."""
    if not database.in_atomic_block:
        database.close()


def sse_response(
    stream_id: str,
    *,
    organisation: Organisation | UUID,
    last_event_id: str = "0",
    abandoned: Callable[[], None] | None = None,
) -> StreamingHttpResponse:
    """The stream as server-sent events. Gives the database connection back before the first byte."""
    events = read_stream(
        stream_id, organisation=organisation, last_event_id=last_event_id, abandoned=abandoned
    )
    database.close()
    response = StreamingHttpResponse(_frames(stream_id, events), content_type="text/event-stream")
    response["X-Accel-Buffering"] = "no"
    return response
