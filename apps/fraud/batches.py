"""The job of a batch: score what has no decision yet, in chunks, in the order of arrival.

A worker may die anywhere. What it had decided stays decided, and the next one takes the rest: which payments
are left is asked of the decisions themselves.
"""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db.models import Q

from apps.fraud.models import Decision, Transaction
from apps.fraud.payload import payloads_of
from apps.fraud.services import LANE, decisions_write, first_error
from rootstock.accounts.tenancy import tenant
from rootstock.jobs.running import JobHandle

CHUNK = 256


def score(handle: JobHandle) -> dict[str, Any]:
    """The job's function. Returns counts by outcome."""
    ranges = handle.params["ranges"]
    total = sum(last - first + 1 for first, last in ranges)
    left = _left(handle, _wanted(ranges))
    handle.progress(total - left, total, force=True)
    for decided in decide(handle, ranges):
        left -= decided
        handle.progress(total - left, total, f"{total - left:,} of {total:,} payments scored")
    return {"payments": total, "outcomes": outcomes(handle, ranges)}


def decide(handle: JobHandle, ranges: list[list[int]]) -> Iterator[int]:
    """Decide on the payments with these numbers that have no decision, in order; yields how many at a time."""
    wanted, after = _wanted(ranges), 0
    while rows := _next(handle, wanted, after):
        _decide(handle, rows)
        after = rows[-1].sequence
        yield len(rows)


def _wanted(ranges: list[list[int]]) -> Q:
    wanted = Q(pk__in=[])
    for first, last in ranges:
        wanted |= Q(sequence__gte=first, sequence__lte=last)
    return wanted


def _left(handle: JobHandle, wanted: Q) -> int:
    with tenant(handle.organisation):
        return Transaction.objects.filter(wanted, decision=None).count()


def _next(handle: JobHandle, wanted: Q, after: int) -> list[Transaction]:
    with tenant(handle.organisation):
        waiting = Transaction.objects.filter(wanted, decision=None, sequence__gt=after)
        return list(waiting.defer("payer", "payee", "device", "merchant").order_by("sequence")[:CHUNK])


def _decide(handle: JobHandle, rows: list[Transaction]) -> None:
    from workers.runtime import run_lane

    started = time.monotonic()
    results = run_lane(LANE, handle.organisation.pk, payloads_of(rows))
    error = first_error(results)
    if error is not None:
        raise error
    latency = (time.monotonic() - started) * 1000
    decisions_write(
        organisation=handle.organisation.pk,
        rows=rows,
        results=results,
        latency_ms=latency,
        job_id=handle.id,
    )


def outcomes(handle: JobHandle, ranges: list[list[int]]) -> dict[str, int]:
    """How many of the payments with these numbers have each outcome."""
    with tenant(handle.organisation):
        return Counter(Decision.objects.filter(_wanted(ranges)).values_list("outcome", flat=True))
