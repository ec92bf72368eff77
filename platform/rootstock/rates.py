"""How often a caller may ask: one Valkey round trip that counts the request (GCRA) and says whether the caller's
key has changed since this process checked it.

The epoch of a key is a value in Valkey that the first reader makes and that any change of the key deletes, so what
a process remembers under an older epoch is checked anew. An epoch that Valkey loses is simply another one.
"""

import logging
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from rootstock.errors import Busy
from rootstock.resp import Lines, Word

log = logging.getLogger(__name__)
WINDOW_S = 60
_EPOCH_TTL_S = 3600
_LOOK_AGAIN_S = 2.0
_TAKE = b"""
local time = redis.call('TIME')
local epoch = ''
if KEYS[2] then
  epoch = redis.call('GET', KEYS[2])
  if not epoch then
    epoch = time[1] .. '.' .. time[2]
    redis.call('SET', KEYS[2], epoch, 'EX', ARGV[3])
  end
end
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000000
if limit == 0 then return {1, 0, 0, 0, epoch} end
local now = time[1] * 1000000 + time[2]
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local ahead = due + window / limit - now
if ahead > window then
  return {0, 0, math.ceil((due - now) / 1000000), math.ceil((ahead - window) / 1000000), epoch}
end
redis.call('SET', KEYS[1], string.format('%.0f', now + ahead), 'PX', math.ceil(ahead / 1000))
return {1, math.floor((window - ahead) * limit / window), math.ceil(ahead / 1000000), 0, epoch}
"""


@dataclass(slots=True, frozen=True)
class Quota:
    """Whose requests are counted, and how many are allowed a minute; 0 allows any number."""

    kind: str
    id: str
    per_minute: int


@dataclass(slots=True, frozen=True)
class Taken:
    """What became of one request: `reset_s` until the whole quota is there again."""

    quota: Quota
    allowed: bool
    remaining: int
    reset_s: int
    retry_after_s: int
    epoch: str


def quota(kind: str, id: object, per_minute: int | None = None) -> Quota:
    """A caller's quota; None takes the default of the settings."""
    return Quota(kind, str(id), settings.API_RATE_PER_MINUTE if per_minute is None else per_minute)


def take(wanted: Quota, *, epoch_of: str = "") -> Taken | None:
    """Count one request, and read the epoch of a key. None when Valkey is away: then nobody is refused."""
    keys = [f"rate:{wanted.kind}:{wanted.id}"] + ([epoch_key(epoch_of)] if epoch_of else [])
    found = _asked("EVAL", _TAKE, len(keys), *keys, wanted.per_minute, WINDOW_S, _EPOCH_TTL_S)
    if found is None:
        return None
    allowed, remaining, reset, retry, epoch = found
    return Taken(wanted, bool(allowed), remaining, reset, retry, epoch.decode())


def first_in(name: str, seconds: int) -> bool:
    """Whether this was not asked before within so many seconds; also when Valkey is away."""
    return _asked("SET", f"once:{name}", "1", "NX", "GET", "EX", seconds) is None


def epoch_read(prefix: str) -> str:
    """A key's epoch, empty while it has none or Valkey is away."""
    raw = _asked("GET", epoch_key(prefix))
    return raw.decode() if raw else ""


def epoch_end(prefix: str) -> None:
    """What any process remembers of this key holds no more."""
    _asked("DEL", epoch_key(prefix))


def epoch_key(prefix: str) -> str:
    """Where a key's epoch is."""
    return f"epoch:{prefix}"


def enforce(request: HttpRequest, taken: Taken | None) -> None:
    """Note the caller's rate for the answer's headers; raises Busy when it is used up."""
    request.rate = taken  # type: ignore[attr-defined]
    if taken is not None and not taken.allowed:
        allowed = f"{taken.quota.per_minute} requests a minute are allowed"
        raise Busy(f"{allowed}; wait {taken.retry_after_s} s", retry_after=taken.retry_after_s)


def headers_set(request: HttpRequest, response: HttpResponseBase) -> None:
    """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers) on an answer of the API."""
    taken: Taken | None = getattr(request, "rate", None)
    policy = taken.quota if taken else quota("key", "")
    if policy.per_minute:
        response.headers["RateLimit-Policy"] = f'"{policy.kind}";q={policy.per_minute};w={WINDOW_S}'
    if policy.per_minute and taken:
        response.headers["RateLimit"] = f'"{policy.kind}";r={taken.remaining};t={taken.reset_s}'


@cache
def _lines() -> Lines:
    """Connections of its own: a request must not wait for a Valkey that hangs."""
    return Lines(settings.REDIS_URL, timeout_s=1.0, connect_timeout_s=0.5)


class _Breaker:
    """After a failure nobody asks Valkey for two seconds, so that requests do not queue up for its timeout."""

    until = 0.0


def _asked(*command: Word) -> Any:
    if time.monotonic() < _Breaker.until:
        return None
    try:
        return _lines().ask(command)[0]
    except redis.RedisError as error:
        _Breaker.until = time.monotonic() + _LOOK_AGAIN_S
        log.warning(
            "Valkey is away (%s): rates are not limited, keys are checked in the database",
            type(error).__name__,
        )
        return None
