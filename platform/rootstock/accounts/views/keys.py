"""Pages: API keys and machine clients."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rootstock.accounts import directory, services
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.forms import KeyForm, RotateForm, ScopesForm
from rootstock.accounts.models import ApiKey, MachineClient
from rootstock.accounts.roles import SCOPES
from rootstock.accounts.tables import CLIENTS, KEYS, state_pill
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.views.common import absolute, scopes_of
from rootstock.console.forms import saved
from rootstock.console.tables import table_page

_KEYS = {
    "list_name": "API keys",
    "list_url": reverse_lazy("keys"),
    "new_name": "New key",
    "new_url": reverse_lazy("key-new"),
    "current": 1,
    "title": "New API key",
    "purpose": "Its token is shown once, after you have made it.",
    "secret_name": "token",
}
_CLIENTS = {
    "list_name": "Machine clients",
    "list_url": reverse_lazy("clients"),
    "new_name": "New client",
    "new_url": reverse_lazy("client-new"),
    "current": 2,
    "title": "New machine client",
    "purpose": "For OAuth2 client credentials. Its secret is shown once, after you have made it.",
    "secret_name": "secret",
}


def _may_write(request: PageRequest) -> bool:
    return "keys:write" in scopes_of(request)


def _after(**length: int) -> datetime | None:
    return timezone.now() + timedelta(**length) if any(length.values()) else None


def _page(request: PageRequest, found: ApiKey | MachineClient, form: RotateForm) -> HttpResponse:
    """One key or client, and what can be done about it."""
    kind, words = ("key", _KEYS) if isinstance(found, ApiKey) else ("client", _CLIENTS)
    context = words | {
        "found": found,
        "form": form,
        "pill": state_pill(found),
        "scopes": [(name, SCOPES.get(name, "")) for name in found.scopes],
        "may_write": _may_write(request) and found.state == "live",
        "may_rotate": set(found.scopes) <= scopes_of(request) and not hasattr(found, "replaced_by"),
        "revoke_url": reverse(f"{kind}-revoke", args=[found.pk]),
        "rotate_url": reverse(f"{kind}-rotate", args=[found.pk]),
        "token_url": _token_url(request),
    }
    return render(request, f"accounts/{kind}.html", context)


def _shown_once(
    request: PageRequest, found: ApiKey | MachineClient, secret: str, **more: Any
) -> HttpResponse:
    """The page with a token or secret that cannot be read again."""
    kind, words = ("key", _KEYS) if isinstance(found, ApiKey) else ("client", _CLIENTS)
    own_url = reverse(kind, args=[found.pk])
    context = words | {"found": found, "secret": secret, "own_url": own_url} | more
    return render(request, "accounts/credential_made.html", context)


def _token_url(request: PageRequest) -> str:
    return absolute(request, reverse("oauth-token"))


@require_GET
@tenant_page("keys:read")
def key_list(request: PageRequest) -> HttpResponseBase:
    """Keys, newest first."""
    context = _KEYS | {"may_write": _may_write(request)}
    found = ApiKey.objects.select_related("created_by")
    return table_page(request, KEYS, found, "accounts/credentials.html", context)


@require_http_methods(["GET", "POST"])
@tenant_page("keys:write")
def key_new(request: PageRequest) -> HttpResponse:
    """A new key; its token is shown once."""
    form = KeyForm(request.POST or None, granted=scopes_of(request))
    made = saved(
        form,
        lambda: services.api_key_create(
            organisation=request.organisation,
            created_by=request.user,
            granted=scopes_of(request),
            expires_at=_after(days=form.cleaned_data.pop("expires_in_days")),
            **form.cleaned_data,
        ),
    )
    if made:
        return _shown_once(request, *made)
    return render(request, "accounts/credential_new.html", _KEYS | {"form": form})


@require_GET
@tenant_page("keys:read")
def key(request: PageRequest, key_id: UUID) -> HttpResponse:
    """One key."""
    with tenant(request.organisation):
        found = directory.key_get(organisation=request.organisation, key_id=key_id)
        return _page(request, found, RotateForm())


@require_POST
@tenant_page("keys:write")
def key_rotate(request: PageRequest, key_id: UUID) -> HttpResponse:
    """A new token for the same use; the old one works for a while beside it."""
    form = RotateForm(request.POST)
    with tenant(request.organisation):
        found = directory.key_get(organisation=request.organisation, key_id=key_id)
        if not form.is_valid():
            return _page(request, found, form)
    made, token = services.api_key_rotate(
        organisation=request.organisation,
        key_id=key_id,
        old_until=_after(hours=form.cleaned_data["overlap_hours"]),
        created_by=request.user,
        granted=scopes_of(request),
    )
    old_until = made.replaces.expires_at if made.replaces else None
    return _shown_once(request, made, token, old_until=old_until)


@require_POST
@tenant_page("keys:write")
def key_revoke(request: PageRequest, key_id: UUID) -> HttpResponse:
    """End a key."""
    ended = services.api_key_revoke(organisation=request.organisation, key_id=key_id)
    messages.success(request, f"The key “{ended.name}” is revoked.")
    return redirect("keys")


@require_GET
@tenant_page("keys:read")
def client_list(request: PageRequest) -> HttpResponseBase:
    """Machine clients, newest first."""
    context = _CLIENTS | {"may_write": _may_write(request)}
    found = MachineClient.objects.select_related("created_by")
    return table_page(request, CLIENTS, found, "accounts/credentials.html", context)


@require_http_methods(["GET", "POST"])
@tenant_page("keys:write")
def client_new(request: PageRequest) -> HttpResponse:
    """A new machine client; its secret is shown once."""
    form = ScopesForm(request.POST or None, granted=scopes_of(request))
    made = saved(
        form,
        lambda: services.client_create(
            organisation=request.organisation,
            created_by=request.user,
            granted=scopes_of(request),
            **form.cleaned_data,
        ),
    )
    if made:
        return _shown_once(request, *made, token_url=_token_url(request))
    return render(request, "accounts/credential_new.html", _CLIENTS | {"form": form})


@require_GET
@tenant_page("keys:read")
def client(request: PageRequest, client_id: UUID) -> HttpResponse:
    """One machine client."""
    found = directory.client_get(organisation=request.organisation, client_id=client_id)
    return _page(request, found, RotateForm())


@require_POST
@tenant_page("keys:write")
def client_rotate(request: PageRequest, client_id: UUID) -> HttpResponse:
    """A new secret; the old one works for a while beside it."""
    form = RotateForm(request.POST)
    if not form.is_valid():
        found = directory.client_get(organisation=request.organisation, client_id=client_id)
        return _page(request, found, form)
    machine, secret = services.client_rotate_secret(
        organisation=request.organisation,
        client_id=client_id,
        old_until=_after(hours=form.cleaned_data["overlap_hours"]),
        created_by=request.user,
        granted=scopes_of(request),
    )
    context = {"token_url": _token_url(request), "old_until": machine.previous_until}
    return _shown_once(request, machine, secret, **context)


@require_POST
@tenant_page("keys:write")
def client_revoke(request: PageRequest, client_id: UUID) -> HttpResponse:
    """End a client and its tokens."""
    machine = services.client_revoke(organisation=request.organisation, client_id=client_id)
    messages.success(request, f"The client “{machine.name}” and its tokens are revoked.")
    return redirect("clients")
