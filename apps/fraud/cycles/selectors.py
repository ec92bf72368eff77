"""Reads of cycles, and of the rings that they went round in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.fraud.cycles.models import CyclePayment, PaymentCycle, PaymentRing
from apps.fraud.models import Transaction
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput, NotFound
from rootstock.paging import take_page


@dataclass(slots=True, frozen=True)
class Filter:
    """Which cycles to list: at least so many hops, euros and score, of one search or one ring alone."""

    min_hops: int | None = None
    min_amount: float | None = None
    min_score: float | None = None
    search: UUID | None = None
    ring: UUID | None = None


@dataclass(slots=True, frozen=True)
class RingFilter:
    """Which rings to list: at least so many rounds, euros over all rounds, and risk."""

    min_rounds: int | None = None
    min_amount: float | None = None
    min_score: float | None = None


def cycles_page(
    *, organisation: Organisation, chosen: Filter, cursor: str | None = None, limit: int = 50
) -> tuple[list[PaymentCycle], str | None]:
    """Up to `limit` cycles, the last to be found first, and the cursor of the next page. Raises InvalidInput."""
    wanted = _given(
        {
            "hops__gte": _least("min_hops", chosen.min_hops),
            "amount_in__gte": _least("min_amount", chosen.min_amount),
            "score__gte": _least("min_score", chosen.min_score, 1.0),
            "job": chosen.search,
            "ring": chosen.ring,
        }
    )
    with tenant(organisation):
        return take_page(PaymentCycle.objects.filter(**wanted), cursor=cursor, limit=limit)


def rings_page(
    *, organisation: Organisation, chosen: RingFilter, cursor: str | None = None, limit: int = 50
) -> tuple[list[PaymentRing], str | None]:
    """Up to `limit` rings with the names of their accounts, the last to be found first. Raises InvalidInput."""
    wanted = _given(
        {
            "rounds__gte": _least("min_rounds", chosen.min_rounds),
            "amount_in__gte": _least("min_amount", chosen.min_amount),
            "score__gte": _least("min_score", chosen.min_score, 1.0),
        }
    )
    with tenant(organisation):
        rows, following = take_page(PaymentRing.objects.filter(**wanted), cursor=cursor, limit=limit)
        return named(rows), following


def ring_get(*, organisation: Organisation, ring_id: UUID) -> PaymentRing:
    """A ring with the names of its accounts. Raises NotFound."""
    with tenant(organisation):
        row = PaymentRing.objects.filter(pk=ring_id).first()
        if row is None:
            raise NotFound("no such ring")
        return named([row])[0]


def named(rows: Sequence[PaymentRing]) -> list[PaymentRing]:
    """The rings with the names of their accounts: who paid in the first round of each. Call it inside `tenant()`."""
    steps = CyclePayment.objects.filter(cycle__ring__in=[row.pk for row in rows], cycle__round=1)
    places = dict(steps.order_by("place").values_list("transaction_id", "cycle__ring_id"))
    payments = Transaction.objects.in_bulk(places)
    names: dict[UUID, list[str]] = {row.pk: [] for row in rows}
    for payment, ring in places.items():
        names[ring].append(payments[payment].payer)
    for row in rows:
        row.names = names[row.pk]
    return list(rows)


def _least(name: str, value: float | None, most: float = 1e15) -> float | None:
    if value is not None and not 0 <= value <= most:
        raise InvalidInput.field(name, f"must be between 0 and {'1' if most == 1 else '10^15'}")
    return value


def _given(wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if value is not None}


def cycle_get(*, organisation: Organisation, cycle_id: UUID) -> tuple[PaymentCycle, list[Transaction]]:
    """A cycle and its payments in their order, with their decisions. Raises NotFound."""
    with tenant(organisation):
        row = PaymentCycle.objects.filter(pk=cycle_id).first()
        if row is None:
            raise NotFound("no such cycle")
        places = dict(row.steps.values_list("transaction_id", "place"))
        payments = Transaction.objects.select_related("decision").filter(pk__in=places)
        return row, sorted(payments, key=lambda one: places[one.pk])
