"""Cycles over the same accounts as one ring, with the figures of its rounds."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from apps.fraud.cycles.models import CyclePayment, PaymentCycle, PaymentRing
from apps.fraud.models import Decision, Outcome
from rootstock.bulk import rows_insert

AT_ONCE = 100
"""Rings whose cycles are held at a time."""
_FIGURES = (
    "cycles", "rounds", "amount_in", "amount_out", "share_kept", "score", "outcome", "began_at", "ended_at",
)  # fmt: skip


def fingerprint_of(accounts: Iterable[int]) -> str:
    """The name of a ring by its accounts' keys, in whatever order they come."""
    keys = b"".join(one.to_bytes(8, "big", signed=True) for one in sorted(accounts))
    return hashlib.sha256(keys).hexdigest()


def rings_locked(organisation: UUID, wanted: Mapping[str, int]) -> dict[str, UUID]:
    """The rings with these fingerprints, made where they are not there, given their numbers of accounts.

    Nobody takes them away until the transaction commits. Call it inside `tenant()`.
    """
    while True:  # again where one was taken away between the two statements
        rows = [
            PaymentRing(organisation_id=organisation, fingerprint=k, accounts=n) for k, n in wanted.items()
        ]
        rows_insert(rows, ignore_conflicts=True)
        locked = PaymentRing.objects.select_for_update().filter(fingerprint__in=wanted).order_by("pk")
        found = dict(locked.values_list("fingerprint", "pk"))
        if len(found) == len(wanted):
            return found


def rings_refresh(rings: Iterable[UUID]) -> None:
    """Count the rounds of these rings anew; one that has lost all its cycles goes. Call it inside `tenant()`."""
    every = sorted(set(rings))
    for at in range(0, len(every), AT_ONCE):
        _refresh(every[at : at + AT_ONCE])


def rings_rekeyed(rings: Iterable[UUID]) -> None:
    """Name these rings by the keys that their accounts have now. Call it inside `tenant()`."""
    for ring in sorted(set(rings)):
        one = PaymentCycle.objects.filter(ring=ring).order_by("pk").values("pk")[:1]
        keys = CyclePayment.objects.filter(cycle__in=one).values_list("transaction__payer_key", flat=True)
        PaymentRing.objects.filter(pk=ring).update(fingerprint=fingerprint_of(keys))


def _refresh(some: Sequence[UUID]) -> None:
    rings = list(PaymentRing.objects.select_for_update().filter(pk__in=some).order_by("pk"))
    cycles: dict[UUID, list[PaymentCycle]] = defaultdict(list)
    for one in PaymentCycle.objects.filter(ring__in=some).order_by("ended_at", "began_at", "pk"):
        cycles[one.ring_id].append(one)
    payments = _payments(some)
    decided = _decided(some)
    kept = [ring for ring in rings if cycles[ring.pk]]
    for ring in kept:
        own = cycles[ring.pk]
        _figures(ring, own, _rounds(own, payments))
        told = [decided[one] for cycle in own for one in payments[cycle.pk] if one in decided]
        ring.outcome, ring.score = max(told, key=_gravity, default=("", None))
    PaymentRing.objects.bulk_update(kept, _FIGURES)
    PaymentCycle.objects.bulk_update([one for found in cycles.values() for one in found], ["round"], 500)
    PaymentRing.objects.filter(pk__in={ring.pk for ring in rings} - {ring.pk for ring in kept}).delete()


def _payments(rings: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """By cycle."""
    found: dict[UUID, list[UUID]] = defaultdict(list)
    steps = CyclePayment.objects.filter(cycle__ring__in=rings)
    for cycle, payment in steps.values_list("cycle_id", "transaction_id"):
        found[cycle].append(payment)
    return found


def _decided(rings: Sequence[UUID]) -> dict[UUID, tuple[str, float]]:
    """Outcome and score by payment."""
    steps = CyclePayment.objects.filter(cycle__ring__in=rings).values("transaction")
    rows = Decision.objects.filter(transaction__in=steps)
    return {row[0]: row[1:] for row in rows.values_list("transaction_id", "outcome", "score")}


def _gravity(decided: tuple[str, float]) -> tuple[int, float]:
    return Outcome.values.index(decided[0]), decided[1]


def _rounds(cycles: Sequence[PaymentCycle], payments: Mapping[UUID, Sequence[UUID]]) -> list[PaymentCycle]:
    """Cycles are counted in the order in which they ended: each that shares no payment with one that was."""
    taken: set[UUID] = set()
    rounds: list[PaymentCycle] = []
    for one in cycles:
        one.round = None
        if taken.isdisjoint(payments[one.pk]):
            rounds.append(one)
            one.round = len(rounds)
            taken.update(payments[one.pk])
    return rounds


def _figures(ring: PaymentRing, cycles: Sequence[PaymentCycle], rounds: Sequence[PaymentCycle]) -> None:
    ring.cycles, ring.rounds = len(cycles), len(rounds)
    ring.amount_in = sum((one.amount_in for one in rounds), Decimal())
    ring.amount_out = sum((one.amount_out for one in rounds), Decimal())
    ring.share_kept = float(ring.amount_out / ring.amount_in) if ring.amount_in else 0.0
    ring.began_at, ring.ended_at = min(one.began_at for one in cycles), max(one.ended_at for one in cycles)
