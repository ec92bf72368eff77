"""What the command palette finds of conversations."""

from django.urls import reverse

from apps.support.models import Conversation
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.console.finding import MOST, Found, id_bounds


def find(*, organisation: Organisation, text: str, scopes: frozenset[str]) -> list[Found]:
    """Conversations by the beginning of their id; words are looked for in the list, which opens them."""
    bounds = id_bounds(text)
    if bounds is None:
        return []
    with tenant(organisation):
        found = Conversation.objects.filter(pk__range=bounds, organisation=organisation)
        rows = list(found.order_by("-pk")[:MOST])
    return [
        Found(
            f"Conversation {str(row.pk)[:13]}",
            reverse("support:conversation", args=[row.pk]),
            row.get_state_display(),
            "messages-square",
        )
        for row in rows
    ]
