"""A streamed lane's way out: handlers write events, and one thread of the lane sends what all of them have written.

Tokens of a stream travel together, the longer the more streams there are: each trip to Valkey wakes a thread here, one
in web and one at the client, beside an engine that needs every core.
"""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import redis
from django.conf import settings

from rootstock.lanes import wire
from rootstock.privacy import transit
from rootstock.resp import Command, Line

log = logging.getLogger(__name__)
_SHORTEST_S, _LONGEST_S = 0.025, 0.1  # between two trips
_STREAMS_OF_A_STEP = 4  # more streams than these lengthen the wait
_LOOK_S = 0.1
_SHOW_S = 1.0
_AWAY_S = 0.5
_MOST_EVENTS = 10_000


class StreamWriter:
    """What one stream's handler has written and Valkey does not have yet. `gone()`: nobody wants the rest."""

    def __init__(self, stream: str, organisation: UUID, flusher: "Flusher", *, sealed: bool) -> None:
        self.stream, self._flusher, self._sealed = stream, flusher, sealed
        self._places = wire.places_key(organisation)
        self._lock = threading.Lock()
        self._tokens: dict[int, dict[str, Any]] = {}  # by candidate
        self._waiting: list[Command] = []
        self._has_spoken = self._gone = self.closed = False
        self._shown_at = 0.0

    def gone(self) -> bool:
        """Whether the stream was cancelled, or its reader left and did not come back in time."""
        return self._gone

    def write(self, kind: str, data: dict[str, Any]) -> None:
        """Add an event. A token may be held for a moment, but not the first one."""
        with self._lock:
            if kind == "token":
                self._hold(data)
                at_once, self._has_spoken = not self._has_spoken, True
            else:
                self._release_tokens()
                self._waiting.append(self._command(kind, data))
                at_once = True
        if at_once:
            self._flusher.hurry()

    def waiting(self) -> list[Command]:
        """The commands to send now, oldest first; they are kept until `sent` is told."""
        with self._lock:
            self._release_tokens()
            return self._waiting.copy()

    def sent(self, commands: int) -> None:
        """So many of them have arrived."""
        with self._lock:
            del self._waiting[:commands]

    def looks(self) -> list[Command]:
        """Show about once a second that the stream is being written, and ask whether it is wanted."""
        now = time.monotonic()
        if now - self._shown_at < _SHOW_S:
            return [["MGET", wire.cancel_key(self.stream), wire.left_key(self.stream)]]
        self._shown_at = now
        return [
            ["SET", wire.working_key(self.stream), 1, "EX", wire.WORKING_S],
            ["EXPIRE", wire.stream_key(self.stream), wire.STREAM_TTL_S],
            ["ZADD", self._places, "XX", time.time() + wire.PLACE_S, self.stream],  # if it has one
            ["MGET", wire.cancel_key(self.stream), wire.left_key(self.stream)],
        ]

    def seen(self, cancel: bytes | None, left: bytes | None) -> None:
        """What the keys said."""
        away = left is not None and time.time() - float(left) > wire.RECONNECT_GRACE_S
        self._gone = self._gone or cancel is not None or away

    def _hold(self, data: dict[str, Any]) -> None:
        held = self._tokens.setdefault(data.get("index", 0), data)
        if held is not data:
            held["text"] += data["text"]
            if "logprobs" in data:
                held["logprobs"] += data["logprobs"]

    def _release_tokens(self) -> None:
        self._waiting += [self._command("token", data) for data in self._tokens.values()]
        self._tokens.clear()

    def _command(self, kind: str, data: dict[str, Any]) -> Command:
        if self._sealed:
            data = transit.conceal(data, f"{self.stream}:event")
        key = wire.stream_key(self.stream)
        return ["XADD", key, "MAXLEN", "~", _MOST_EVENTS, "*", "type", kind, "data", json.dumps(data)]


class Flusher:
    """One thread for all streams of a lane, asleep while there are none."""

    def __init__(self, name: str) -> None:
        self._line = Line(settings.REDIS_URL, 30.0, 5.0)
        self._writers: list[StreamWriter] = []
        self._changed = threading.Condition()
        self._in_a_hurry = False
        self._looked_at = 0.0
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @contextlib.contextmanager
    def writer(self, stream: str, organisation: UUID, *, sealed: bool) -> Iterator[StreamWriter]:
        """A stream's writer; what was written in the block is sent after it too."""
        writer = StreamWriter(stream, organisation, self, sealed=sealed)
        with self._changed:
            self._writers.append(writer)
        self.hurry()  # whoever waits for the stream sees at once that somebody has it
        try:
            yield writer
        finally:
            writer.closed = True
            self.hurry()

    def hurry(self) -> None:
        """Send without waiting for more."""
        with self._changed:
            self._in_a_hurry = True
            self._changed.notify_all()

    def drained(self, timeout_s: float) -> bool:
        """Wait until everything of every stream was sent."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._writers, timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._writers)
                self._changed.wait_for(lambda: self._in_a_hurry, self._pause())
                self._in_a_hurry = False
                writers = self._writers.copy()
            try:
                self._round(writers)
            except redis.RedisError:
                time.sleep(_AWAY_S)  # nothing is lost: what was not sent is still held
            except Exception:
                log.exception("a round of streams failed")
                time.sleep(_AWAY_S)

    def _pause(self) -> float:
        return min(_LONGEST_S, _SHORTEST_S * max(1.0, len(self._writers) / _STREAMS_OF_A_STEP))

    def _round(self, writers: list[StreamWriter]) -> None:
        """One trip: what was written, and now and then what the readers say."""
        ended = [writer for writer in writers if writer.closed]  # before what they wrote last is taken
        written = [(writer, writer.waiting()) for writer in writers]
        commands = [command for _, each in written for command in each]
        looking = self._to_look(writers)
        looks = [writer.looks() for writer in looking]
        commands += [command for each in looks for command in each]
        for writer in ended:
            commands.append(["DEL", wire.working_key(writer.stream)])
            commands.append(["EXPIRE", wire.stream_key(writer.stream), wire.STREAM_TTL_S])
        answers = self._line.ask(*commands) if commands else []
        for writer, each in written:
            writer.sent(len(each))
        at = sum(len(each) for _, each in written)
        for writer, each in zip(looking, looks, strict=True):
            at += len(each)
            writer.seen(*answers[at - 1])
        if ended:
            self._forget(ended)

    def _to_look(self, writers: list[StreamWriter]) -> list[StreamWriter]:
        now = time.monotonic()
        if now - self._looked_at < _LOOK_S:
            return []
        self._looked_at = now
        return writers

    def _forget(self, ended: list[StreamWriter]) -> None:
        with self._changed:
            self._writers = [writer for writer in self._writers if writer not in ended]
            self._changed.notify_all()
