"""Upload an adapter, the list of uploads, and one upload with its checks as they end."""

from dataclasses import replace
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.views.common import scopes_of
from rootstock.console.forms import saved
from rootstock.console.tables import table_page
from rootstock.files.purposes import PURPOSES
from rootstock.registry import uploads
from rootstock.registry.intake_pages.forms import AdapterForm
from rootstock.registry.intake_pages.tables import UPLOADS, Brought, steps, upload_pill
from rootstock.registry.models import AdapterUpload, UploadState
from rootstock.registry.persons import Names

_STOP_ASKING = 286  # htmx: what was loaded is the last of it


@require_http_methods(["GET", "POST"])
@tenant_page("adapters:write")
def upload(request: PageRequest) -> HttpResponseBase:
    """Bring an adapter: as a form, or in pieces where scripts run."""
    form = AdapterForm(request.POST or None, request.FILES or None)
    found = saved(
        form,
        lambda: uploads.adapter_upload(
            organisation=request.organisation,
            name=form.cleaned_data["name"],
            files=form.cleaned_data["files"],
            uploaded_by=request.user,
        ),
    )
    if found:
        return redirect("adapter-upload-page", found.pk)
    context = {
        "form": form,
        "most": PURPOSES[uploads.PURPOSE].max_bytes,
        "in_pieces": "files:write" in scopes_of(request),
    }
    return render(request, "registry/uploads/new.html", context)


@require_GET
@tenant_page("adapters:read")
def upload_list(request: PageRequest) -> HttpResponseBase:
    """Uploaded adapters, the newest first."""
    found = AdapterUpload.objects.select_related("version")
    context = {"may_write": "adapters:write" in scopes_of(request), "tab": "uploads"}
    table = replace(UPLOADS, prepare=lambda rows: _named(request, rows))
    return table_page(request, table, found, "registry/uploads/list.html", context)


def _named(request: PageRequest, rows: list[AdapterUpload]) -> list[Brought]:
    names = Names(request.organisation, [row.brought_by for row in rows])
    return [Brought(row, names.of(row.brought_by)) for row in rows]


@require_GET
@tenant_page("adapters:read")
def upload_page(request: PageRequest, upload_id: UUID) -> HttpResponse:
    """One upload; while it is being checked the page asks again."""
    found = uploads.upload_get(organisation=request.organisation, upload_id=upload_id)
    waits = found.state == UploadState.CHECKING
    context = {
        "upload": found,
        "by": Names(request.organisation, [found.brought_by]).of(found.brought_by),
        "steps": steps(found),
        "pill": upload_pill(found),
        "version_url": reverse("adapter", args=[found.version_id]) if found.version_id else "",
        "waits": waits,
        "may_write": "adapters:write" in scopes_of(request),
        "may_see_job": "jobs:read" in scopes_of(request),
    }
    if request.headers.get("HX-Target") == "upload":
        status = 200 if waits else _STOP_ASKING
        return render(request, "registry/uploads/part.html", context, status=status)
    return render(request, "registry/uploads/page.html", context)
