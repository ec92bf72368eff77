"""Pages of data sets: the list, and bringing one."""

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.console.forms import saved
from rootstock.console.tables import table_page
from rootstock.registry.datasets.services import dataset_create
from rootstock.registry.models import Dataset
from rootstock.registry.pages.common import ASK, READ, rights
from rootstock.registry.pages.forms import DatasetForm
from rootstock.registry.pages.tables import DATASETS


@require_GET
@tenant_page(READ)
def datasets(request: PageRequest) -> HttpResponseBase:
    """Data sets, the newest first."""
    found = Dataset.objects.annotate(held=Count("persons"))
    context = {"tab": "datasets", **rights(request)}
    return table_page(request, DATASETS, found, "registry/datasets.html", context)


@require_http_methods(["GET", "POST"])
@tenant_page(ASK)
def upload(request: PageRequest) -> HttpResponse:
    """Bring one; every line is checked, and what is wrong is told by its number."""
    form = DatasetForm(request.POST or None, request.FILES or None)
    made = saved(
        form,
        lambda: dataset_create(
            organisation=request.organisation,
            name=form.cleaned_data["name"],
            content=form.cleaned_data["file"],
            task=form.cleaned_data["task"],
            is_test=form.cleaned_data["is_test"],
            created_by=request.user,
        ),
    )
    if made:
        row, is_new = made
        told = (
            f"{row.name} is stored: {row.rows:,} examples."
            if is_new
            else f"This content is there: {row.name}."
        )
        messages.success(request, told)
        return redirect("datasets")
    return render(request, "registry/dataset_upload.html", {"form": form}, status=422 if form.errors else 200)
