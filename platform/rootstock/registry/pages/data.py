"""Pages of data sets: the list, and bringing one."""

from typing import Any, cast

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.console.forms import saved
from rootstock.console.tables import table_page
from rootstock.errors import DomainError
from rootstock.files.uploads import Upload
from rootstock.registry.datasets.columns import PARTS, is_whole
from rootstock.registry.datasets.previews import dataset_preview
from rootstock.registry.datasets.services import dataset_create
from rootstock.registry.models import Dataset
from rootstock.registry.pages.common import ASK, READ, rights
from rootstock.registry.pages.forms import DatasetForm
from rootstock.registry.pages.tables import DATASETS

_PREFIX = "column-"


@require_GET
@tenant_page(READ)
def datasets(request: PageRequest) -> HttpResponseBase:
    """Data sets, the newest first."""
    found = Dataset.objects.defer("report").annotate(held=Count("persons"))
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
            columns=_columns(request),
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
        return redirect("dataset", row.pk)
    context = {"form": form, **(_preview(request) if form.errors else {})}
    return render(request, "registry/dataset_upload.html", context, status=422 if form.errors else 200)


@require_POST
@tenant_page(ASK)
def preview(request: PageRequest) -> HttpResponse:
    """The first rows of the file that is chosen in the form, before it is brought."""
    return render(request, "registry/dataset_preview.html", _preview(request))


def _preview(request: PageRequest) -> dict[str, Any]:
    content, task = request.FILES.get("file"), request.POST.get("task", "chat")
    if content is None:
        return {}
    try:
        found = dataset_preview(content=cast(Upload, content), task=task, columns=_columns(request))
    except DomainError as error:
        return {"problem": error.detail}
    return {
        "preview": found,
        "asks": found.form != "jsonl" or bool(found.problem and found.columns),
        "choices": [(part, found.chosen.get(part, "")) for part in found.parts],
        "url": reverse("dataset-preview"),
    }


def _columns(request: PageRequest) -> dict[str, str] | None:
    """What was chosen on the form; None where it makes no example, as after another task was chosen."""
    task = request.POST.get("task", "")
    given = {
        name.removeprefix(_PREFIX): str(value)
        for name, value in request.POST.items()
        if name.startswith(_PREFIX) and value and name.removeprefix(_PREFIX) in PARTS.get(task, {})
    }
    return given if task in PARTS and is_whole(task, given) else None
