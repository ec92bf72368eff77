"""The worker's end of the lanes: take what has arrived, run it as one batch, answer in one pipeline.

No waiting timer: a batch is whatever queued up while the last one ran.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from workers.streams import Flusher, StreamWriter

log = logging.getLogger(__name__)
_POLL_S = 0.5
_RETRY_S = 0.5
_ENDING_S = 10.0


class Consumer:
    """Serves one lane until stopped: one thread for batches, up to `lane.threads` more for streams."""

    def __init__(self, name: str, lane: Lane, handler: BatchHandler | StreamHandler, generation: str) -> None:
        self.name, self.lane, self.handler = name, lane, handler
        self.queue = wire.queue_key(name, generation)
        self.alive = wire.alive_key(name, generation)
        self.redis = wire.connect()
        # A Celery task may run the same handler: one batch at a time owns its models.
        self.lock = threading.Lock()
        self._stop, self._away = threading.Event(), False

    def start(self) -> None:
        """Announce the lane and start taking requests."""
        if self.lane.streams:
            self._flusher = Flusher(f"{self.name}-flusher")
        self.redis.set(self.alive, 1, ex=wire.ALIVE_S)
        serve = self._serve_streams if self.lane.streams else self._serve_batches
        line = Line(settings.REDIS_URL, 30.0, 5.0)
        self._thread = threading.Thread(target=serve, args=(line,), name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests and wait for those in hand."""
        self._stop.set()
        with contextlib.suppress(redis.RedisError):
            self.redis.delete(self.alive)
        self._thread.join(timeout=_ENDING_S)
        if self.lane.streams:
            self._flusher.drained(_POLL_S)

    def _serve_streams(self, line: Line) -> None:
        """Nothing is taken from the queue that no thread is free for: another worker may have one."""
        free = threading.Semaphore(self.lane.threads)
        pool = ThreadPoolExecutor(self.lane.threads, self.name)
        while not self._stop.is_set():
            if not free.acquire(timeout=_POLL_S):
                continue
            taken: list[wire.Item] = []
            with self._mishaps():
                taken = _decoded(self._take(line))
            for item in taken:
                pool.submit(self._serve_one, item).add_done_callback(lambda _: free.release())
            if not taken:
                free.release()
        pool.shutdown()

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
            sealed = transit.is_concealed(item.payload)
            with self._flusher.writer(item.call, item.organisation_id, sealed=sealed) as writer:
                self._write_events(item, writer)
            batch_seen(self.name, [(time.time() - item.admitted_at) * 1000])
        finally:
            request_id.reset(token)

    def _write_events(self, item: wire.Item, writer: StreamWriter) -> None:
        try:
            if item.deadline < time.time():
                raise DeadlineExceeded("the request expired in the queue")
            handler = cast(StreamHandler, self.handler)
            for kind, data in handler.stream(_request(item), writer.gone):
                writer.write(kind, data)
        except DomainError as error:
            writer.write("error", error.as_dict())
        except Exception:
            log.exception("lane %s: the stream failed", self.name)
            writer.write("error", InternalError("the worker failed on this request").as_dict())


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
