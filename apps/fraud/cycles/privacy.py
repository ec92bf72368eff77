"""Cycles as personal data: what was found about account holders, by the payments that lead to them."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.fraud.cycles.grouping import rings_refresh
from apps.fraud.cycles.models import PaymentCycle
from apps.fraud.models import Transaction
from rootstock.privacy.fields import ROWS_AT_ONCE


def cycles_of(payments: QuerySet[Transaction]) -> QuerySet[PaymentCycle]:
    """The cycles that any of these payments is part of."""
    return PaymentCycle.objects.filter(steps__transaction__in=payments).distinct()


def rings_of(payments: QuerySet[Transaction]) -> list[UUID]:
    """The rings that any of these payments went round in."""
    return list(cycles_of(payments).order_by().values_list("ring_id", flat=True).distinct())


def cycles_export(payments: QuerySet[Transaction]) -> Iterator[dict[str, Any]]:
    """Each with the person's own payments in it, and no others."""
    own = payments.values("pk")
    for row in cycles_of(payments).order_by("pk").iterator(chunk_size=ROWS_AT_ONCE):
        steps = row.steps.filter(transaction__in=own).order_by("place")
        yield {
            "id": row.pk, "ring": row.ring_id, "round": row.round, "hops": row.hops,
            "amount_in": row.amount_in, "amount_out": row.amount_out,
            "share_kept": row.share_kept, "score": row.score, "began_at": row.began_at, "ended_at": row.ended_at,
            "found_at": row.found_at, "payments": list(steps.values_list("transaction_id", flat=True)),
        }  # fmt: skip


def cycles_delete(payments: QuerySet[Transaction]) -> None:
    """Before payments go: a cycle that lacks one is none, and its ring has a round less."""
    rings = rings_of(payments)
    PaymentCycle.objects.filter(pk__in=cycles_of(payments).values("pk")).delete()
    rings_refresh(rings)
