"""The list of trainings."""

from django.http import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_GET

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.adaptation import selectors
from rootstock.adaptation.tables import trainings_table
from rootstock.console.tables import table_page
from rootstock.registry.pages.common import READ, rights


@require_GET
@tenant_page(READ)
def trainings(request: PageRequest) -> HttpResponseBase:
    """The organisation's trainings, the newest first."""
    datasets = selectors.datasets_to_train_on(organisation=request.organisation)
    table = trainings_table(datasets, reverse("trainings-chosen"))
    context = {"tab": "trainings", **rights(request)}
    return table_page(request, table, selectors.trainings(), "adaptation/list.html", context)
