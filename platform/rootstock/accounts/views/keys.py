"""Pages: API keys and machine clients."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rootstock.accounts import directory, services
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.forms import KeyForm, RotateForm, ScopesForm
from rootstock.accounts.models import ApiKey, MachineClient
from rootstock.accounts.roles import SCOPES
from rootstock.accounts.tables import CLIENTS, KEYS, state_pill
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.views.common import absolute, saved, scopes_of
from rootstock.console.tables import table_page


def _shown_once(request: PageRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A page with a secret that cannot be read again."""
    response = render(request, template, context)
    response["Cache-Control"] = "no-store"
    return response


def _after(**length: int) -> Any:
    return timezone.now() + timedelta(**length) if any(length.values()) else None


@require_GET
@tenant_page("keys:read")
def key_list(request: PageRequest) -> HttpResponseBase:
    """Keys, newest first."""
    context = {"may_write": "keys:write" in scopes_of(request)}
    return table_page(
        request, KEYS, ApiKey.objects.select_related("created_by"), "accounts/keys.html", context
    )


@require_http_methods(["GET", "POST"])
@tenant_page("keys:write")
def key_new(request: PageRequest) -> HttpResponse:
    """A new key; its token is shown once."""
    form = KeyForm(request.POST or None, granted=scopes_of(request))
    if form.is_valid():
        given = dict(form.cleaned_data)
        expires_at = _after(days=given.pop("expires_in_days"))
        made = saved(
            form,
            lambda: services.api_key_create(
                organisation=request.organisation,
                created_by=request.user,
                granted=scopes_of(request),
                expires_at=expires_at,
                **given,
            ),
        )
        if made:
            return _shown_once(request, "accounts/key_made.html", {"key": made[0], "token": made[1]})
    return render(request, "accounts/key_new.html", {"form": form})


def _key_page(request: PageRequest, found: ApiKey, form: RotateForm) -> HttpResponse:
    context = {
        "key": found,
        "form": form,
        "pill": state_pill(found),
        "scopes": [(name, SCOPES.get(name, "")) for name in found.scopes],
        "may_write": "keys:write" in scopes_of(request) and found.state == "live",
        "may_rotate": set(found.scopes) <= scopes_of(request) and not hasattr(found, "replaced_by"),
    }
    return render(request, "accounts/key.html", context)


@require_GET
@tenant_page("keys:read")
def key(request: PageRequest, key_id: UUID) -> HttpResponse:
    """One key, and what can be done about it."""
    with tenant(request.organisation):
        found = directory.key_get(organisation=request.organisation, key_id=key_id)
        return _key_page(request, found, RotateForm())


@require_POST
@tenant_page("keys:write")
def key_rotate(request: PageRequest, key_id: UUID) -> HttpResponse:
    """A new token for the same use; the old one works for a while beside it."""
    form = RotateForm(request.POST)
    with tenant(request.organisation):
        found = directory.key_get(organisation=request.organisation, key_id=key_id)
        if not form.is_valid():
            return _key_page(request, found, form)
    made, token = services.api_key_rotate(
        organisation=request.organisation,
        key_id=key_id,
        old_until=_after(hours=form.cleaned_data["overlap_hours"]),
        created_by=request.user,
        granted=scopes_of(request),
    )
    context = {"key": made, "token": token, "old": made.replaces}
    return _shown_once(request, "accounts/key_made.html", context)


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
    context = {"may_write": "keys:write" in scopes_of(request)}
    found = MachineClient.objects.select_related("created_by")
    return table_page(request, CLIENTS, found, "accounts/clients.html", context)


@require_GET
@tenant_page("keys:read")
def client(request: PageRequest, client_id: UUID) -> HttpResponse:
    """One machine client, and what can be done about it."""
    found = directory.client_get(organisation=request.organisation, client_id=client_id)
    context = {
        "machine": found,
        "pill": state_pill(found),
        "scopes": [(name, SCOPES.get(name, "")) for name in found.scopes],
        "may_write": "keys:write" in scopes_of(request) and found.state == "live",
        "may_rotate": set(found.scopes) <= scopes_of(request),
        "token_url": absolute(request, "/oauth/token"),
    }
    return render(request, "accounts/client.html", context)


def _client_made(request: PageRequest, machine: MachineClient, secret: str) -> HttpResponse:
    context = {"machine": machine, "secret": secret, "token_url": absolute(request, "/oauth/token")}
    return _shown_once(request, "accounts/client_made.html", context)


@require_http_methods(["GET", "POST"])
@tenant_page("keys:write")
def client_new(request: PageRequest) -> HttpResponse:
    """A new machine client; its secret is shown once."""
    form = ScopesForm(request.POST or None, granted=scopes_of(request))
    if form.is_valid():
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
            return _client_made(request, *made)
    return render(request, "accounts/client_new.html", {"form": form})


@require_POST
@tenant_page("keys:write")
def client_rotate(request: PageRequest, client_id: UUID) -> HttpResponse:
    """A new secret for a client."""
    machine, secret = services.client_rotate_secret(
        organisation=request.organisation,
        client_id=client_id,
        created_by=request.user,
        granted=scopes_of(request),
    )
    return _client_made(request, machine, secret)


@require_POST
@tenant_page("keys:write")
def client_revoke(request: PageRequest, client_id: UUID) -> HttpResponse:
    """End a client and its tokens."""
    machine = services.client_revoke(organisation=request.organisation, client_id=client_id)
    messages.success(request, f"The client “{machine.name}” and its tokens are revoked.")
    return redirect("clients")
