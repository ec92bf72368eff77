"""What a call may use, and what it used: asked before each call, counted once after it.

The tokens of calls that run at once are counted when each ends, so a budget may be overrun by what was under way
when it was spent: at most `streams` answers of their own length (decision 61).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection
from django.utils import timezone

from rootstock.accounts.actors import Actor
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Busy, DomainError
from rootstock.lanes import client, wire

_SHARES = 8  # of the lane's threads; one is the most that an organisation has
_WIDTH = 2  # hexadecimal digits at the head of a stream's id: how many answers it stands for
_MOST_ANSWERS = 16**_WIDTH - 1
_TAKE = b"""
local function answers(slot) return tonumber(string.sub(slot, 1, 2), 16) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
local taken = 0
for _, slot in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do taken = taken + answers(slot) end
for i = 4, #ARGV do taken = taken + answers(ARGV[i]) end
if taken > tonumber(ARGV[2]) then return 0 end
for i = 4, #ARGV do redis.call('ZADD', KEYS[1], ARGV[3], ARGV[i]) end
redis.call('EXPIRE', KEYS[1], 3600)
return 1
"""
_CHECK = """
SELECT limits.tokens_per_day, limits.tokens_per_month, limits.streams, used.today, used.month
FROM gateway_budget AS limits
LEFT JOIN LATERAL (
  SELECT coalesce(sum(prompt_tokens + completion_tokens) FILTER (WHERE day = %(today)s), 0)::bigint AS today,
         coalesce(sum(prompt_tokens + completion_tokens), 0)::bigint AS month
  FROM gateway_usageday AS usage
  WHERE usage.organisation_id = %(organisation)s AND usage.day BETWEEN %(first)s AND %(today)s
    AND (limits.tokens_per_day IS NOT NULL OR limits.tokens_per_month IS NOT NULL)
) AS used ON true
WHERE limits.organisation_id = %(organisation)s
"""
# The call's own id is kept first: a second telling of the same call finds it there and adds nothing.
_COUNT = """
WITH first AS (
  INSERT INTO gateway_usagecall (id, organisation_id, counted_at)
  VALUES (%(call)s, %(organisation)s, now()) ON CONFLICT (id) DO NOTHING RETURNING organisation_id
)
INSERT INTO gateway_usageday AS known (
  id, organisation_id, day, holder_kind, holder_id, model, calls, prompt_tokens, cached_tokens, completion_tokens
)
SELECT %(row)s, organisation_id, %(day)s, %(kind)s, %(holder)s, %(model)s, 1, %(prompt)s, %(cached)s, %(completion)s
FROM first
ON CONFLICT (organisation_id, day, holder_kind, holder_id, model) DO UPDATE SET
  calls = known.calls + 1,
  prompt_tokens = known.prompt_tokens + excluded.prompt_tokens,
  cached_tokens = known.cached_tokens + excluded.cached_tokens,
  completion_tokens = known.completion_tokens + excluded.completion_tokens
"""


class BudgetSpent(DomainError):
    """The organisation has used the tokens of its day or month; `retry_after` is when the next one begins."""

    code = "budget_spent"
    http_status = 429
    permanent = False


@dataclass(slots=True, frozen=True)
class _Limits:
    """A budget beside what is used of it."""

    per_day: int | None
    per_month: int | None
    streams: int | None
    today: int
    month: int


@dataclass(slots=True, frozen=True)
class Used:
    """Tokens of one call, all its candidates together; `cached` of the prompt were found in the prefix cache."""

    prompt: int
    completion: int
    cached: int = 0


@dataclass(slots=True, frozen=True)
class Allowance:
    """What an organisation may do now: how many answers may be written for it at once."""

    organisation: UUID
    streams: int


def budget_check(organisation: Organisation | UUID) -> Allowance:
    """Raise `BudgetSpent` when the tokens of the day or month are used up. One query, by an index."""
    now = timezone.now()
    with tenant(organisation) as owner:
        found = _limits(owner, now)
    if found is None:
        return Allowance(owner, settings.GATEWAY_STREAMS)
    _refuse_if_spent("month", found.per_month, found.month, _next_month(now), now)
    _refuse_if_spent("day", found.per_day, found.today, _next_day(now), now)
    return Allowance(owner, streams_allowed(found.streams))


def streams_allowed(said: int | None) -> int:
    """Answers at once of an organisation whose budget says so many."""
    return min(said or settings.GATEWAY_STREAMS, most_streams())


def most_streams() -> int:
    """Answers at once that a budget may say: a share of the lane, so that another organisation always starts."""
    return max(settings.GATEWAY_STREAMS, settings.LANES["gateway.generate"].threads // _SHARES)


def budget_share(organisation: Organisation) -> float:
    """How much is used of the limit that is nearer to its end, from 0 to 1 and beyond; 0 without one."""
    with tenant(organisation) as owner:
        found = _limits(owner, timezone.now())
    pairs = ((found.today, found.per_day), (found.month, found.per_month)) if found else ()
    return max((used / limit if limit else 1.0 for used, limit in pairs if limit is not None), default=0.0)


def _limits(owner: UUID, now: datetime) -> _Limits | None:
    given: dict[str, Any] = {
        "organisation": owner,
        "today": now.date(),
        "first": now.date().replace(day=1),
    }
    with connection.cursor() as cursor:
        cursor.execute(_CHECK, given)
        found = cursor.fetchone()
    return _Limits(*found) if found else None


def usage_record(
    *, organisation: Organisation | UUID, call: UUID, holder: Actor, model: str, used: Used
) -> bool:
    """Count what a call used, once whatever is tried again; returns whether this was the first telling.

    `call` is the call's own id, `holder` who called, `model` the exact `base` or `name@digest` that answered.
    """
    with tenant(organisation) as owner, connection.cursor() as cursor:
        given: dict[str, Any] = {
            "call": call, "organisation": owner, "row": uuid4(), "day": timezone.now().date(), "kind": holder.kind,
            "holder": holder.id, "model": model, "prompt": used.prompt, "cached": used.cached,
            "completion": used.completion,
        }  # fmt: skip
        cursor.execute(_COUNT, given)
        return bool(cursor.rowcount == 1)


def stream_slots_take(allowance: Allowance, answers: Sequence[int], *, until: float) -> list[str]:
    """Take the organisation's places for so many answers of each stream; returns the streams' ids. All or none.

    They fall free by themselves at `until` (Unix seconds) if nobody takes the requests, and some seconds after the
    death of a worker that did: while it writes, it renews a short lease. Raises `Busy` when too few are free.
    """
    slots, key = [_slot(each) for each in answers], wire.places_key(allowance.organisation)
    with wire.reachable():
        [taken] = client.lines().ask(["EVAL", _TAKE, 1, key, time.time(), allowance.streams, until, *slots])
    if not taken:
        most, more = allowance.streams, sum(answers)
        raise Busy(
            f"your organisation may have {most} answers under way at once; now there is no room for {more} more",
            retry_after=1,
        )
    return slots


def _slot(answers: int) -> str:
    """An id that tells its width, so that the place needs no second key."""
    if not 1 <= answers <= _MOST_ANSWERS:
        raise ValueError(f"a stream of {answers} answers, expected 1 to {_MOST_ANSWERS}")
    return f"{answers:0{_WIDTH}x}{uuid4().hex[_WIDTH:]}"


def stream_slot_give(organisation: Organisation | UUID, slot: str) -> None:
    """The answer has ended, however it did."""
    owner = organisation if isinstance(organisation, UUID) else organisation.pk
    with wire.reachable():
        client.connection().zrem(wire.places_key(owner), slot)


def streams_under_way(organisation: Organisation) -> int:
    """How many of its places are taken now: each candidate and beam, and each call for vectors."""
    with wire.reachable():
        slots = client.connection().zrangebyscore(wire.places_key(organisation.pk), time.time(), "+inf")
    return sum(int(slot[:_WIDTH], 16) for slot in slots)


def _refuse_if_spent(what: str, limit: int | None, used: int, again: datetime, now: datetime) -> None:
    if limit is not None and used >= limit:
        raise BudgetSpent(
            f"your organisation has used {used:,} of its {limit:,} tokens of this {what}; "
            f"there are more from {again:%Y-%m-%d %H:%M} UTC, or when an administrator raises the budget",
            retry_after=(again - now).total_seconds(),
        )


def _next_day(now: datetime) -> datetime:
    return _midnight(now.date() + timedelta(days=1))


def _next_month(now: datetime) -> datetime:
    return _midnight((now.date().replace(day=1) + timedelta(days=32)).replace(day=1))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
