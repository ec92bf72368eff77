"""Reads of payments and their decisions."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.cache import caches
from django.db.models import Q, QuerySet

from apps.fraud.models import Decision, Outcome, Transaction
from apps.fraud.payload import account_key
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput, NotFound
from rootstock.paging import MAX_LIMIT, refuse_empty

PENDING = "pending"
OUTCOMES = (*Outcome.values, PENDING)
HISTORY = 20
TOTALS_S = 10


@dataclass(slots=True, frozen=True)
class Filter:
    """Which payments to list."""

    outcome: str | None = None
    min_score: float | None = None
    account: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def shown(payments: QuerySet[Transaction]) -> QuerySet[Transaction]:
    """Payments with what is told of them: the decision and the labels."""
    return payments.select_related("decision").prefetch_related("labels")


def transactions_page(
    *, organisation: Organisation, chosen: Filter, cursor: str | None = None, limit: int = 50
) -> tuple[list[Transaction], str | None]:
    """Up to `limit` payments, the last to arrive first, and the cursor of the next page."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput.field("limit", f"must be between 1 and {MAX_LIMIT}")
    with tenant(organisation):
        found = _filtered(organisation, chosen)
        if cursor:
            found = found.filter(sequence__lt=_sequence(cursor))
        rows = list(found.order_by("-sequence")[: limit + 1])
    return rows[:limit], str(rows[limit - 1].sequence) if len(rows) > limit else None


def _sequence(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidInput.field("cursor", "is not a cursor of this list")
    return int(cursor)


def _filtered(organisation: Organisation, chosen: Filter) -> QuerySet[Transaction]:
    refuse_empty(outcome=chosen.outcome, account=chosen.account)
    if chosen.outcome and chosen.outcome not in OUTCOMES:
        raise InvalidInput.field("outcome", f"must be one of {', '.join(OUTCOMES)}")
    if chosen.min_score is not None and not 0 <= chosen.min_score <= 1:
        raise InvalidInput.field("min_score", "must be between 0 and 1")
    wanted = Q()
    if chosen.outcome:
        wanted &= Q(decision=None) if chosen.outcome == PENDING else Q(decision__outcome=chosen.outcome)
    if chosen.min_score is not None:
        wanted &= Q(decision__score__gte=chosen.min_score)
    if chosen.account:
        key = account_key(organisation.pk, chosen.account)
        wanted &= Q(payer_key=key) | Q(payee_key=key)
    if chosen.since:
        wanted &= Q(occurred_at__gte=chosen.since)
    if chosen.until:
        wanted &= Q(occurred_at__lt=chosen.until)
    return shown(Transaction.objects.filter(wanted))


def transaction_get(*, organisation: Organisation, transaction_id: UUID) -> Transaction:
    """One payment with its decision."""
    with tenant(organisation):
        row = shown(Transaction.objects.filter(pk=transaction_id)).first()
    if row is None:
        raise NotFound("no such payment")
    return row


def history_before(*, row: Transaction, account: int, most: int = HISTORY) -> list[Transaction]:
    """The payments of an account (by its key) that had arrived before this one, newest first."""
    with tenant(row.organisation_id):
        before = Transaction.objects.select_related("decision").filter(sequence__lt=row.sequence)
        return list(before.filter(Q(payer_key=account) | Q(payee_key=account)).order_by("-sequence")[:most])


@dataclass(slots=True, frozen=True)
class Totals:
    """Counts of decisions by outcome."""

    approve: int
    review: int
    decline: int


def outcome_totals(*, organisation: Organisation) -> Totals:
    """How many payments have each outcome, as of the last ten seconds: counting walks through all of them."""
    known, key = caches["local"], f"fraud.outcome_totals:{organisation.pk}"
    totals: Totals = known.get(key) or Totals(0, 0, 0)
    if totals == Totals(0, 0, 0):  # the first payment is seen at once
        with tenant(organisation):
            counts = {outcome: Decision.objects.filter(outcome=outcome).count() for outcome in Outcome.values}
        totals = Totals(**counts)
        known.set(key, totals, TOTALS_S)
    return totals
