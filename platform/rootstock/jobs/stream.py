"""A job as server-sent events, for programs and for its page.

Stored events carry their sequence as id, and a reader that comes back with Last-Event-ID goes on behind it.
`progress` has no id: only the latest counts, and the first frame of every stream brings it.
"""

import json
import time
from collections.abc import Iterator
from uuid import UUID

from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from rootstock.errors import InvalidInput
from rootstock.jobs.events import Progress
from rootstock.jobs.feed import News, feed
from rootstock.jobs.models import Job, JobEvent

_HEARTBEAT_S = 10.0
_LONGEST_S = 900.0  # then the reader comes back, and what it may see is checked anew


def stream_response(request: HttpRequest, job: Job) -> HttpResponse | StreamingHttpResponse:
    """The job's stream; 204 when all of it has been read. Gives the database connection back before the first byte."""
    after = _after(request)
    if job.is_final and after >= job.last_event > 0:
        return HttpResponse(status=204)
    connection.close()
    response = StreamingHttpResponse(
        frames(job.organisation_id, job.pk, after), content_type="text/event-stream"
    )
    response["X-Accel-Buffering"] = "no"
    return response


def _after(request: HttpRequest) -> int:
    given = request.headers.get("Last-Event-ID") or request.GET.get("after") or "0"
    if not given.isdecimal() or len(given) > 9:
        raise InvalidInput.field("Last-Event-ID", "is not an event id of this stream")
    return int(given)


def frames(organisation: UUID, job_id: UUID, after: int) -> Iterator[bytes]:
    """The stream's bytes until the job has ended, or for a quarter of an hour."""
    until = time.monotonic() + _LONGEST_S
    yield b"retry: 1000\n\n"
    latest: Progress | None = None
    with feed.watch(organisation=organisation, job_id=job_id, after=after) as watcher:
        while time.monotonic() < until:
            news = watcher.take(_HEARTBEAT_S)
            if news is None:
                yield b": still here\n\n"
                continue
            yield from _told(news, latest)
            latest = news.progress
            if news.final:
                return


def _told(news: News, latest: Progress | None) -> Iterator[bytes]:
    if news.progress != latest:
        yield f"event: progress\ndata: {news.progress.model_dump_json()}\n\n".encode()
    for event in news.events:
        yield _frame(event)


def _frame(event: JobEvent) -> bytes:
    data = json.dumps(event.data | {"at": event.at.isoformat()})
    return f"id: {event.sequence}\nevent: {event.type}\ndata: {data}\n\n".encode()
