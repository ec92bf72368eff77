"""The job of a batch: score what has no decision yet, in chunks, in the order of arrival.

A worker may die anywhere. What it had decided stays decided, and the next one takes the rest: which payments
are left is asked of the decisions themselves.
"""

import time
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
    wanted = _wanted(handle.params["ranges"])
    total = sum(last - first + 1 for first, last in handle.params["ranges"])
    left = _left(handle, wanted)
    handle.progress(total - left, total, force=True)
    after = 0
    while rows := _next(handle, wanted, after):
        _decide(handle, rows)
        after, left = rows[-1].sequence, left - len(rows)
        handle.progress(total - left, total, f"{total - left:,} of {total:,} payments scored")
    return {"payments": total, "outcomes": _outcomes(handle, wanted)}


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


def _outcomes(handle: JobHandle, wanted: Q) -> dict[str, int]:
    counts: dict[str, int] = {}
    with tenant(handle.organisation):
        for outcome in Decision.objects.filter(wanted).values_list("outcome", flat=True):
            counts[outcome] = counts.get(outcome, 0) + 1
    return counts
