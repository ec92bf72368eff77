"""The organisation that a person acts in."""

from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_POST

from rootstock.accounts import services
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.middleware import SESSION_KEY


def _uuid(raw: str) -> UUID | None:
    try:
        return UUID(raw)
    except ValueError:
        return None


@require_POST
@tenant_page()
def organisation_switch(request: PageRequest) -> HttpResponse:
    """Act in another of the person's organisations from now on, after the next sign-in too."""
    wanted = _uuid(request.POST.get("organisation", ""))
    services.organisation_switch(user=request.user, memberships=request.memberships, organisation_id=wanted)
    request.session[SESSION_KEY] = str(wanted)
    return HttpResponseRedirect("/")
