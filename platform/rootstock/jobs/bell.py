"""A bell in Valkey: it says that something about a job has changed. A hint only: whoever waits also looks by
itself now and then, so that a bell that is not heard makes things late and never wrong."""

import logging
import threading
import time
from collections.abc import Callable
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction

from rootstock.jobs.models import Job

log = logging.getLogger(__name__)
NEWS, CANCEL = "jobs:news", "jobs:cancel"
_SILENT_S = 1.0  # after a failure: a Valkey that hangs must not slow every write down

Listener = Callable[[UUID | None], None]  # the job, or None: anything may have changed

_broken_until = 0.0
_client: "redis.Redis[bytes] | None" = None
_lock = threading.Lock()
_listeners: dict[str, list[Listener]] = {}


def _connect(timeout_s: float | None) -> "redis.Redis[bytes]":
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=timeout_s)


def ring_on_commit(job: Job, channel: str = NEWS) -> None:
    """Ring once the surrounding transaction has committed."""
    job_id = job.pk
    transaction.on_commit(lambda: ring(job_id, channel))


def ring(job_id: UUID, channel: str = NEWS) -> None:
    """Say that the job has changed. Never raises and never takes long."""
    global _broken_until, _client
    if time.monotonic() < _broken_until:
        return
    try:
        _client = _client or _connect(1.0)
        _client.publish(channel, str(job_id))
    except redis.RedisError:
        _broken_until = time.monotonic() + _SILENT_S


def listen(channel: str, listener: Listener) -> Callable[[], None]:
    """Hear the bell in this process; one connection serves all listeners of a channel. Returns what ends it."""
    with _lock:
        first = channel not in _listeners
        _listeners.setdefault(channel, []).append(listener)
        if first:
            threading.Thread(target=_hear, args=(channel,), name=f"bell-{channel}", daemon=True).start()

    def leave() -> None:
        with _lock:
            _listeners[channel].remove(listener)

    return leave


def _hear(channel: str) -> None:
    while True:
        try:
            with _connect(None).pubsub(ignore_subscribe_messages=True) as heard:
                heard.subscribe(channel)
                _tell(channel, None)  # whatever rang while nobody listened
                for message in heard.listen():  # type: ignore[no-untyped-call]
                    _tell(channel, UUID(message["data"].decode()))
        except (redis.RedisError, OSError):
            time.sleep(_SILENT_S)
        except Exception:
            log.exception("bell %s", channel)
            time.sleep(_SILENT_S)


def _tell(channel: str, job_id: UUID | None) -> None:
    with _lock:
        listeners = list(_listeners[channel])
    for listener in listeners:
        listener(job_id)
