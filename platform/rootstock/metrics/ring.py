"""Counts of ten seconds each, kept in Valkey for fifteen minutes: what several processes add to, and a page reads."""

import atexit
import logging
import threading
import time
from collections import Counter
from functools import cache

import redis

from rootstock.lanes import wire

log = logging.getLogger(__name__)
STEP_S = 10
KEPT_S = 900
_FLUSH_S = 2.0


def ring_key(kind: str, step: int) -> str:
    """The hash of one step; `kind` is web or lanes."""
    return f"recent:{kind}:{step}"


def totals_key(kind: str) -> str:
    """The hash of everything ever counted."""
    return f"totals:{kind}"


class Ring:
    """This process's counts on their way to Valkey. `add` only counts; a thread writes every two seconds."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._counts: Counter[tuple[int, str]] = Counter()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, **amounts: int) -> None:
        """Count."""
        step = int(time.time()) // STEP_S
        with self._lock:
            for name, amount in amounts.items():
                self._counts[step, name] += amount
            if self._thread is None:
                self._start()

    def flush(self) -> None:
        """Write what has been counted; what Valkey does not take is dropped, not kept."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            with _connection().pipeline(transaction=False) as pipeline:
                for (step, name), amount in counts.items():
                    pipeline.hincrby(ring_key(self._kind, step), name, amount)
                    pipeline.hincrby(totals_key(self._kind), name, amount)
                for step in {step for step, _ in counts}:
                    pipeline.expire(ring_key(self._kind, step), KEPT_S + 2 * STEP_S)
                pipeline.execute()
        except redis.RedisError:
            log.debug("Valkey is away: figures of two seconds are dropped")

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"figures-{self._kind}", daemon=True)
        self._thread.start()
        atexit.register(self.flush)

    def _run(self) -> None:
        while True:
            time.sleep(_FLUSH_S)
            self.flush()


def read(kind: str, *, now: float | None = None) -> list[tuple[float, dict[str, int]]]:
    """(Unix time, counts) of the last fifteen minutes' steps, oldest first, the running one left out."""
    last = int(now if now is not None else time.time()) // STEP_S
    steps = range(last - KEPT_S // STEP_S, last)
    with wire.reachable(), _connection().pipeline(transaction=False) as pipeline:
        for step in steps:
            pipeline.hgetall(ring_key(kind, step))
        found = pipeline.execute()
    return [
        (float(step * STEP_S), {name.decode(): int(amount) for name, amount in raw.items()})
        for step, raw in zip(steps, found, strict=True)
    ]


def totals(kind: str) -> dict[str, int]:
    """Everything that was counted since Valkey's data began."""
    with wire.reachable():
        found = _connection().hgetall(totals_key(kind))
    return {name.decode(): int(amount) for name, amount in found.items()}


@cache
def _connection() -> "redis.Redis[bytes]":
    return wire.connect()
