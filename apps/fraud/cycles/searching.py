"""The job that searches an organisation's payments for cycles, and keeps those that were not known."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import fmean
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

from apps.fraud.cycles.grouping import fingerprint_of, rings_locked, rings_refresh
from apps.fraud.cycles.models import CyclePayment, PaymentCycle
from apps.fraud.cycles.schemas import LEAST_HOPS, CycleSearchIn
from apps.fraud.models import Decision, IngestCounter, Transaction
from apps.fraud.payload import TIMED, worth
from models_zoo.fraud.causal.view import HOUR
from models_zoo.fraud.cycles import Cycles, Search, cycles
from models_zoo.fraud.events import PAYMENT, Records
from rootstock.accounts.tenancy import tenant
from rootstock.bulk import rows_insert
from rootstock.jobs.running import JobHandle
from rootstock.webhooks.services import event_emit

FOUND = "fraud.cycles_found"
MOST = 500_000
"""Numbers of the stream that are read: the newest. What came before them is not searched."""
AT_ONCE = 10_000
CENT = Decimal("0.01")


def run(handle: JobHandle) -> dict[str, Any]:
    """The job's function. Nothing is kept before all of it has ended; started again it begins anew."""
    wanted = CycleSearchIn.model_validate(handle.params)
    last, until = _reach(handle, wanted)
    first, since = max(0, last - MOST), until - timedelta(days=wanted.days) if until else None
    batch = _read(handle, first, last, since, until)
    span = last - first

    def told(done: int, total: int) -> None:
        handle.progress(span + span * done // max(total, 1), 2 * span, f"{done:,} of {total:,} followed")

    found = cycles(batch, _search(wanted), told)
    counts = {"payments": len(batch), "since": _text(since), "until": _text(until)}
    with handle.commit() as result:
        there, new = _keep(handle, batch, found)
        result |= counts | {"found": there, "new": new, "known": there - new}
        result |= {
            "hops": Counter(map(str, found.hops.tolist())),
            "cut": {"unread": first} | asdict(found.cut),
        }
        if new:
            data = {"job": str(handle.id), "found": there, "new": new}
            event_emit(organisation=handle.organisation, type=FOUND, data=data)
    return result


def _search(wanted: CycleSearchIn) -> Search:
    return Search(
        least_hops=LEAST_HOPS,
        most_hops=wanted.max_hops,
        window=wanted.window_h * HOUR,
        least_share=wanted.least_share,
        most=wanted.most,
    )


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _reach(handle: JobHandle, wanted: CycleSearchIn) -> tuple[int, datetime | None]:
    """The last number of the stream, and where the period ends; 0 and None for no payments at all."""
    with tenant(handle.organisation):
        counter = IngestCounter.objects.first()
    return (counter.last, wanted.until or counter.latest_at) if counter else (0, None)


def _read(
    handle: JobHandle, first: int, last: int, since: datetime | None, until: datetime | None
) -> Records:
    """PAYMENT [N] of the period in the order of arrival; devices, merchants and channels are left 0."""
    parts = [np.zeros(0, PAYMENT)]
    for after in range(first, last, AT_ONCE):
        upto = min(after + AT_ONCE, last)
        with tenant(handle.organisation):
            rows = Transaction.objects.annotate(time=TIMED).filter(
                sequence__gt=after, sequence__lte=upto, time__gt=since, time__lte=until
            )
            told = rows.values_list("sequence", "time", "payer_key", "payee_key", "amount", "currency")
            found = list(told.order_by("sequence"))
        parts.append(
            np.array(
                [
                    (number, at.timestamp(), payer, payee, 0, 0, worth(amount, currency), 0)
                    for number, at, payer, payee, amount, currency in found
                ],
                PAYMENT,
            )
        )
        handle.progress(upto - first, 2 * (last - first), f"{upto - first:,} of {last - first:,} read")
    return np.concatenate(parts)


def _keep(handle: JobHandle, batch: Records, found: Cycles) -> tuple[int, int]:
    """Store the cycles that were not known, and their rings: how many are there, and how many are new.

    Those with a payment that was deleted meanwhile are left out. Rings of known ones are counted anew as well: their
    payments may have been decided since.
    """
    paths = [
        tuple(batch["sequence"][row[:hops]].tolist())
        for row, hops in zip(found.rows, found.hops.tolist(), strict=True)
    ]
    told = _payments(sorted({number for path in paths for number in path}))
    whole = {
        path: fingerprint_of(told[number].payer for number in path)
        for path in paths
        if all(number in told for number in path)
    }
    rings = rings_locked(handle.organisation.pk, {name: len(path) for path, name in whole.items()})
    rows = {
        path: _cycle(handle, [told[number] for number in path], rings[name]) for path, name in whole.items()
    }
    kept = rows_insert(list(rows.values()), ignore_conflicts=True)
    steps = [
        CyclePayment(
            organisation_id=handle.organisation.pk, cycle=row, transaction_id=told[number].id, place=place
        )
        for path, row in rows.items()
        if row.pk in kept
        for place, number in enumerate(path)
    ]
    rows_insert(steps)
    rings_refresh(rings.values())
    return len(rows), len(kept)


class Told(NamedTuple):
    """What is told of a payment; `payer` is the account's key, `probability` what it was decided with."""

    id: UUID
    payer: int
    at: datetime
    amount: Decimal
    currency: str
    probability: float | None


def _payments(numbers: Sequence[int]) -> dict[int, Told]:
    """What is told of the payments with these numbers, as far as they are there; they stay until the end."""
    found: dict[int, Told] = {}
    for at in range(0, len(numbers), AT_ONCE):
        some = list(numbers[at : at + AT_ONCE])
        rows = Transaction.objects.annotate(time=TIMED).filter(sequence__in=some)
        decided = dict(Decision.objects.filter(sequence__in=some).values_list("sequence", "probability"))
        locked = rows.select_for_update(no_key=True)
        told = locked.values_list("sequence", "pk", "payer_key", "time", "amount", "currency")
        for number, pk, payer, moment, amount, currency in told:
            found[number] = Told(pk, payer, moment, amount, currency, decided.get(number))
    return found


def _cycle(handle: JobHandle, payments: Sequence[Told], ring: UUID) -> PaymentCycle:
    first, last = payments[0], payments[-1]
    amounts = [worth(first.amount, first.currency), worth(last.amount, last.currency)]
    scores = [one.probability for one in payments if one.probability is not None]
    return PaymentCycle(
        organisation_id=handle.organisation.pk,
        fingerprint=hashlib.sha256(b"".join(one.id.bytes for one in payments)).hexdigest(),
        job_id=handle.id,
        ring_id=ring,
        hops=len(payments),
        amount_in=Decimal(amounts[0]).quantize(CENT),
        amount_out=Decimal(amounts[1]).quantize(CENT),
        share_kept=amounts[1] / amounts[0],
        score=fmean(scores) if scores else None,
        began_at=first.at,
        ended_at=last.at,
    )
