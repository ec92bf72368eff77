"""Reads of cycles."""

from dataclasses import dataclass
from uuid import UUID

from apps.fraud.cycles.models import PaymentCycle
from apps.fraud.models import Transaction
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput, NotFound
from rootstock.paging import take_page


@dataclass(slots=True, frozen=True)
class Filter:
    """Which cycles to list: at least so many hops, euros and score, of one search alone."""

    min_hops: int | None = None
    min_amount: float | None = None
    min_score: float | None = None
    search: UUID | None = None


def cycles_page(
    *, organisation: Organisation, chosen: Filter, cursor: str | None = None, limit: int = 50
) -> tuple[list[PaymentCycle], str | None]:
    """Up to `limit` cycles, the last to be found first, and the cursor of the next page. Raises InvalidInput."""
    if chosen.min_score is not None and not 0 <= chosen.min_score <= 1:
        raise InvalidInput.field("min_score", "must be between 0 and 1")
    for name in ("min_hops", "min_amount"):
        value = getattr(chosen, name)
        if value is not None and not 0 <= value < 1e15:
            raise InvalidInput.field(name, "must be between 0 and 10^15")
    wanted = {
        "hops__gte": chosen.min_hops,
        "amount_in__gte": chosen.min_amount,
        "score__gte": chosen.min_score,
        "job": chosen.search,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    with tenant(organisation):
        return take_page(PaymentCycle.objects.filter(**given), cursor=cursor, limit=limit)


def cycle_get(*, organisation: Organisation, cycle_id: UUID) -> tuple[PaymentCycle, list[Transaction]]:
    """A cycle and its payments in their order, with their decisions. Raises NotFound."""
    with tenant(organisation):
        row = PaymentCycle.objects.filter(pk=cycle_id).first()
        if row is None:
            raise NotFound("no such cycle")
        places = dict(row.steps.values_list("transaction_id", "place"))
        payments = Transaction.objects.select_related("decision").filter(pk__in=places)
        return row, sorted(payments, key=lambda one: places[one.pk])
