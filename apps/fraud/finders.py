"""What the command palette finds of payments."""

from django.db.models import Q
from django.urls import reverse

from apps.fraud.models import Transaction
from apps.fraud.schemas import composed
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.console.finding import MOST, Found, id_bounds
from rootstock.console.formats import money


def find(*, organisation: Organisation, text: str, scopes: frozenset[str]) -> list[Found]:
    """Payments by the sender's own reference, or by the beginning of our id."""
    bounds = id_bounds(text)
    named = Q(external_id=composed(text))
    wanted = named | Q(pk__range=bounds) if bounds else named
    with tenant(organisation):
        rows = list(Transaction.objects.filter(wanted, organisation=organisation).order_by("-pk")[:MOST])
    return [
        Found(
            f"Payment {row.external_id}",
            reverse("fraud:payment", args=[row.pk]),
            money(row.amount, row.currency),
            "banknote",
        )
        for row in rows
    ]
