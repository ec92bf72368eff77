"""The worker's end of the lanes: take what has arrived, run it as one batch, answer in one pipeline.

No waiting timer: a batch is whatever queued up while the last one ran.
"""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import redis
from django.conf import settings

from rootstock.catalogue import Lane
from rootstock.errors import DeadlineExceeded, DomainError, InternalError
from rootstock.lanes import wire
from rootstock.metrics.recent import batch_seen
from rootstock.middleware import request_id
from rootstock.privacy import transit
from rootstock.resp import Command, Line
from workers.handlers import BatchHandler, LaneRequest, StreamHandler, answer

log = logging.getLogger(__name__)
_POLL_S = 0.5
_COALESCE_S = 0.025
_CANCEL_EVERY_S = 0.1
_RETRY_S = 0.5
_SHOW_WORKING_S = 1.0


class Consumer:
    """Serves one lane until stopped: one thread for batches, `lane.threads` threads for streams."""

    def __init__(self, name: str, lane: Lane, handler: BatchHandler | StreamHandler, generation: str) -> None:
        self.name, self.lane, self.handler = name, lane, handler
        self.queue = wire.queue_key(name, generation)
        self.alive = wire.alive_key(name, generation)
        self.redis = wire.connect()
        # A Celery task may run the same handler: one batch at a time owns its models.
        self.lock = threading.Lock()
        self._stop, self._away = threading.Event(), False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Announce the lane and start taking requests."""
        if self.lane.streams:
            self._flusher = Flusher()
        self.redis.set(self.alive, 1, ex=wire.ALIVE_S)
        serve = self._serve_streams if self.lane.streams else self._serve_batches
        for index in range(self.lane.threads if self.lane.streams else 1):
            thread = threading.Thread(
                target=serve,
                args=(Line(settings.REDIS_URL, 30.0, 5.0),),
                name=f"{self.name}-{index}",
                daemon=True,
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Take no more requests and wait for those in hand."""
        self._stop.set()
        with contextlib.suppress(redis.RedisError):
            self.redis.delete(self.alive)
        for thread in self._threads:
            thread.join(timeout=10)

    def _serve_streams(self, line: Line) -> None:
        while not self._stop.is_set():
            with self._mishaps():
                for item in _decoded(self._take(line)):
                    self._serve_one(item)

    def _serve_batches(self, line: Line) -> None:
        """The replies of one batch and the wait for the next one travel together."""
        replies: list[Command] = []
        while not self._stop.is_set():
            with self._mishaps():
                raws = self._take(line, replies)
                replies = []
                if raws:
                    replies = self._serve_batch(raws)
        with self._mishaps():
            line.ask(*replies)

    @contextlib.contextmanager
    def _mishaps(self) -> Iterator[None]:
        """What goes wrong in one round must not end the lane."""
        try:
            yield
            self._away = False
        except redis.RedisError:
            if not self._away:
                self._away = True
                log.warning("lane %s: Valkey is away", self.name)
            self._stop.wait(_RETRY_S)
        except Exception:
            log.exception("lane %s: a batch was lost to a fault", self.name)

    def _take(self, line: Line, replies: Sequence[Command] = ()) -> list[bytes]:
        more = 0 if self.lane.streams else self.lane.max_batch - 1
        wait: list[Command] = [["BLPOP", self.queue, _POLL_S]]
        if more:
            wait.append(["LPOP", self.queue, more])
        popped, *rest = line.ask(*wait, unanswered=replies)
        return [*(popped[1:] if popped else ()), *((rest[0] if rest else None) or ())]

    def _serve_batch(self, raws: list[bytes]) -> list[Command]:
        items, now = _decoded(raws), time.time()
        live = [item for item in items if item.deadline > now]
        token = request_id.set(live[0].request_id if live else "-")
        try:
            with self.lock:
                results = self._answers(live)
        finally:
            request_id.reset(token)
        expired = DeadlineExceeded("the request expired in the queue")
        late = [(item, expired) for item in items if item.deadline <= now]
        batch_seen(self.name, [(time.time() - item.admitted_at) * 1000 for item in live])
        return _replies([*zip(live, results, strict=True), *late])

    def _answers(self, live: list[wire.Item]) -> list[dict[str, Any] | DomainError]:
        if not live:
            return []
        handler = cast(BatchHandler, self.handler)
        try:
            return answer(handler, [_request(item) for item in live])
        except DomainError as error:
            return [error] * len(live)
        except Exception:
            log.exception("lane %s: the handler failed on %d requests", self.name, len(live))
            return [InternalError("the worker failed on this request; its log has the request id")] * len(
                live
            )

    def _serve_one(self, item: wire.Item) -> None:
        token = request_id.set(item.request_id)
        try:
            writer = StreamWriter(self.redis, item.call, sealed=transit.is_concealed(item.payload))
            with self._flusher.watching(writer):
                self._write_events(item, writer)
            batch_seen(self.name, [(time.time() - item.admitted_at) * 1000])
        finally:
            request_id.reset(token)

    def _write_events(self, item: wire.Item, writer: "StreamWriter") -> None:
        try:
            if item.deadline < time.time():
                raise DeadlineExceeded("the request expired in the queue")
            for kind, data in self._events(item):
                writer.write(kind, data)
        except DomainError as error:
            writer.write("error", error.as_dict())
        except Exception:
            log.exception("lane %s: the stream failed", self.name)
            writer.write("error", InternalError("the worker failed on this request").as_dict())

    def _events(self, item: wire.Item) -> Iterator[tuple[str, dict[str, Any]]]:
        handler = cast(StreamHandler, self.handler)
        return handler.stream(_request(item), CancelFlag(self.redis, item.call))


class CancelFlag:
    """Callable: true once the stream was cancelled, or its reader left and did not come back in time."""

    def __init__(self, connection: "redis.Redis[bytes]", stream: str) -> None:
        self._redis, self._stream = connection, stream
        self._seen, self._looked_at = False, 0.0

    def __call__(self) -> bool:
        now = time.monotonic()
        if not self._seen and now - self._looked_at >= _CANCEL_EVERY_S:
            self._looked_at = now
            cancel, left = self._redis.mget(wire.cancel_key(self._stream), wire.left_key(self._stream))
            gone = left is not None and time.time() - float(left) > wire.RECONNECT_GRACE_S
            self._seen = cancel is not None or gone
        return self._seen


class StreamWriter:
    """Writes events to the request's stream; tokens that come within 25 ms travel together.

    A held token is never older than that: `flush_due` is called by the lane's flusher thread.
    """

    def __init__(self, connection: "redis.Redis[bytes]", stream: str, *, sealed: bool = False) -> None:
        self._redis, self._key = connection, wire.stream_key(stream)
        self._stream, self._sealed = stream, sealed
        self._working = wire.working_key(stream)
        self._text, self._written_at, self._shown_at = "", 0.0, 0.0
        self._lock = threading.Lock()

    def write(self, kind: str, data: dict[str, Any]) -> None:
        """Add an event; a `token` event may be held for a moment."""
        with self._lock:
            if kind == "token":
                self._text += data["text"]
                self._flush_if_due()
            else:
                self._flush()
                self._add(kind, data)

    def flush_due(self) -> None:
        """Write what has been held long enough, and show about once a second that the stream is being written."""
        with self._lock:
            self._flush_if_due()
        if time.monotonic() - self._shown_at > _SHOW_WORKING_S:
            self._shown_at = time.monotonic()
            self._redis.set(self._working, 1, ex=wire.WORKING_S)

    def close(self) -> None:
        """Nothing more will be written."""
        self._redis.delete(self._working)

    def _flush_if_due(self) -> None:
        if time.monotonic() - self._written_at >= _COALESCE_S:
            self._flush()

    def _flush(self) -> None:
        if self._text:
            self._add("token", {"text": self._text})
            self._text = ""

    def _add(self, kind: str, data: dict[str, Any]) -> None:
        self._written_at = time.monotonic()
        if self._sealed:
            data = transit.conceal(data, f"{self._stream}:event")
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.xadd(
                self._key, {"type": kind, "data": json.dumps(data)}, maxlen=10_000, approximate=True
            )
            pipeline.expire(self._key, wire.STREAM_TTL_S)
            pipeline.execute()


class Flusher:
    """One thread for all streams of a lane, asleep while there are none."""

    def __init__(self) -> None:
        self._writers: set[StreamWriter] = set()
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="flusher", daemon=True).start()

    @contextlib.contextmanager
    def watching(self, writer: StreamWriter) -> Iterator[StreamWriter]:
        """Flush the writer's held tokens while the block runs."""
        writer.flush_due()
        with self._changed:
            self._writers.add(writer)
            self._changed.notify()
        try:
            yield writer
        finally:
            with self._changed:
                self._writers.discard(writer)
            writer.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._writers)
                writers = list(self._writers)
            for writer in writers:
                with contextlib.suppress(redis.RedisError):
                    writer.flush_due()
            time.sleep(_COALESCE_S)


def _decoded(raws: list[bytes]) -> list[wire.Item]:
    """The items that can be read: one that cannot must not take the others with it."""
    items = []
    for raw in raws:
        try:
            items.append(wire.Item.decode(raw))
        except (ValueError, TypeError):
            log.error("an item that is none was dropped (%d bytes)", len(raw))
    return items


def _replies(answers: list[tuple[wire.Item, dict[str, Any] | DomainError]]) -> list[Command]:
    commands: list[Command] = []
    for item, result in answers:
        if isinstance(result, DomainError):
            raw = wire.encode_reply(item.index, None, result.as_dict())
        else:
            raw = wire.encode_reply(item.index, _as_it_came(item, result), None)
        commands.append(["RPUSH", wire.reply_key(item.call), raw])
    calls = {item.call for item, _ in answers}
    return commands + [["EXPIRE", wire.reply_key(call), wire.REPLY_TTL_S] for call in calls]


def _as_it_came(item: wire.Item, result: dict[str, Any]) -> dict[str, Any]:
    """A sealed request has a sealed answer."""
    if not transit.is_concealed(item.payload):
        return result
    return transit.conceal(result, f"{item.call}:{item.index}:answer")


def _request(item: wire.Item) -> LaneRequest:
    payload = transit.reveal(item.payload, f"{item.call}:{item.index}")
    return LaneRequest(f"{item.call}:{item.index}", item.organisation_id, payload, item.deadline)
