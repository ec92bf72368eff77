"""Pages: the list of files with its drop zone, and one file with what its checks said."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.views.common import scopes_of
from rootstock.console.forms import saved
from rootstock.console.tables import table_page
from rootstock.errors import Forbidden
from rootstock.files import selectors, services
from rootstock.files.forms import UploadForm
from rootstock.files.models import FileState
from rootstock.files.purposes import PURPOSES
from rootstock.files.serving import download
from rootstock.files.tables import FILES, file_pill, purpose_label


@require_http_methods(["GET", "POST"])
@tenant_page("files:read")
def file_list(request: PageRequest) -> HttpResponseBase:
    """Files, newest first; a browser without scripts uploads here."""
    may_write = "files:write" in scopes_of(request)
    if request.method == "POST" and not may_write:
        raise Forbidden("your role may not upload files; an administrator can change that")
    about = {"subject_id": request.GET.get("subject", "")}
    form = UploadForm(request.POST or None, request.FILES or None, initial=about)
    found = saved(
        form,
        lambda: services.file_store(
            organisation=request.organisation,
            purpose=form.cleaned_data["purpose"],
            content=form.cleaned_data["file"],
            uploaded_by=request.user,
            subject_id=form.cleaned_data["subject_id"],
        ),
    )
    if found:
        return redirect("file", found[0].pk)
    context = {"form": form, "may_write": may_write, "purposes": PURPOSES}
    return table_page(request, FILES, selectors.files(), "files/list.html", context)


@require_GET
@tenant_page("files:read")
def file(request: PageRequest, file_id: UUID) -> HttpResponse:
    """One file."""
    found = selectors.file_get(organisation=request.organisation, file_id=file_id)
    context = {
        "file": found,
        "pill": file_pill(found),
        "purpose": purpose_label(found),
        "waits": found.state in (FileState.QUARANTINED, FileState.UPLOADING),
        "may_write": "files:write" in scopes_of(request),
        "may_see_person": "privacy:read" in scopes_of(request),
    }
    if request.headers.get("HX-Target") == "file":
        return render(request, "files/part.html", context, status=200 if context["waits"] else 286)
    return render(request, "files/file.html", context)


@require_GET
@tenant_page("files:read")
def file_content(request: PageRequest, file_id: UUID) -> HttpResponseBase:
    """The content, as a download."""
    return download(organisation=request.organisation, file_id=file_id)


@require_POST
@tenant_page("files:write")
def file_delete(request: PageRequest, file_id: UUID) -> HttpResponse:
    """Delete a file."""
    services.file_delete(organisation=request.organisation, file_id=file_id)
    messages.success(request, "The file is deleted.")
    return redirect("files")
