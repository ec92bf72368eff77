"""Page: the organisation's settings."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from rootstock.accounts import services
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.forms import OrganisationForm
from rootstock.console.forms import saved


@require_http_methods(["GET", "POST"])
@tenant_page("settings:write")
def organisation(request: PageRequest) -> HttpResponse:
    """Name, session length, two factors."""
    current = request.organisation
    initial = {field: getattr(current, field) for field in ("name", "session_hours", "mfa_required")}
    form = OrganisationForm(request.POST or None, initial=initial)
    if saved(form, lambda: services.organisation_update(organisation=current, **form.cleaned_data)):
        messages.success(request, "Saved.")
        return redirect("organisation-settings")
    context = {"form": form, "mfa": settings.MFA, "session_hours": settings.SESSION_HOURS}
    return render(request, "accounts/settings.html", context)
