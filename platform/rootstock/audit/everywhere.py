"""The one look across organisations that the trail's clock needs: whose turn is it."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from rootstock.accounts.tenancy import set_local


def organisations_of(rows: QuerySet[Any]) -> list[UUID]:
    """The organisations that these rows belong to."""
    with transaction.atomic():
        set_local("rootstock.system", "audit")
        found = list(rows.order_by().values_list("organisation_id", flat=True).distinct())
        set_local("rootstock.system", "")
    return found
