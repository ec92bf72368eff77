"""Pages: webhook endpoints, one endpoint, the delivery log."""

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.views.common import scopes_of
from rootstock.console.forms import saved
from rootstock.console.tables import embedded, part_or_none, table_page
from rootstock.webhooks import selectors, services
from rootstock.webhooks.charts import fare_charts, fare_tiles
from rootstock.webhooks.forms import EndpointForm, ReplayForm, RotateForm
from rootstock.webhooks.models import WebhookEndpoint
from rootstock.webhooks.tables import DELIVERIES, ENDPOINTS, OF_ENDPOINT, delivery_pill, endpoint_pill


def _may_write(request: PageRequest) -> bool:
    return "webhooks:write" in scopes_of(request)


@require_GET
@tenant_page("webhooks:read")
def endpoint_list(request: PageRequest) -> HttpResponseBase:
    """Endpoints, newest first."""
    context = {"may_write": _may_write(request)}
    return table_page(request, ENDPOINTS, WebhookEndpoint.objects.all(), "webhooks/list.html", context)


@require_GET
@tenant_page("webhooks:read")
def delivery_list(request: PageRequest) -> HttpResponseBase:
    """What was sent to every endpoint, newest first."""
    return table_page(request, DELIVERIES, selectors.deliveries(), "webhooks/deliveries.html")


def _secret_shown(request: PageRequest, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
    """The page with the secret, which cannot be read again."""
    context = {"endpoint": endpoint, "secret": secret, "overlap_until": endpoint.overlap_until}
    return render(request, "webhooks/secret.html", context)


@require_http_methods(["GET", "POST"])
@tenant_page("webhooks:write")
def endpoint_new(request: PageRequest) -> HttpResponse:
    """A new endpoint; its secret is shown once."""
    form = EndpointForm(request.POST or None)
    made = saved(
        form,
        lambda: services.endpoint_create(
            organisation=request.organisation, created_by=request.user, **form.cleaned_data
        ),
    )
    if made:
        return _secret_shown(request, *made)
    return render(request, "webhooks/new.html", {"form": form})


@require_http_methods(["GET", "POST"])
@tenant_page("webhooks:write")
def endpoint_edit(request: PageRequest, endpoint_id: UUID) -> HttpResponse:
    """Change an endpoint."""
    found = selectors.endpoint_get(organisation=request.organisation, endpoint_id=endpoint_id)
    initial = {"url": found.url, "description": found.description, "events": found.events}
    form = EndpointForm(request.POST or None, initial=initial)
    if saved(
        form,
        lambda: services.endpoint_update(
            organisation=request.organisation, endpoint_id=endpoint_id, **form.cleaned_data
        ),
    ):
        messages.success(request, "The webhook is changed.")
        return redirect("webhook", endpoint_id)
    return render(request, "webhooks/edit.html", {"form": form, "endpoint": found})


@require_GET
@tenant_page("webhooks:read")
def endpoint(request: PageRequest, endpoint_id: UUID) -> HttpResponseBase:
    """One endpoint: how it fares, and what was sent."""
    found = selectors.endpoint_get(organisation=request.organisation, endpoint_id=endpoint_id)
    rows = selectors.deliveries(endpoint=endpoint_id)
    table = embedded(request, OF_ENDPOINT, rows)
    if (part := part_or_none(request, table, rows)) is not None:
        return part
    fare = selectors.endpoint_fare(organisation=request.organisation, endpoint_id=endpoint_id)
    context = {
        "endpoint": found,
        "pill": endpoint_pill(found),
        "table": table,
        "tiles": fare_tiles(fare),
        "charts": fare_charts(fare),
        "rotate": RotateForm(),
        "replay": ReplayForm(),
        "may_write": _may_write(request),
    }
    return render(request, "webhooks/endpoint.html", context)


@require_POST
@tenant_page("webhooks:write")
def endpoint_rotate(request: PageRequest, endpoint_id: UUID) -> HttpResponse:
    """A new secret, shown once."""
    selectors.endpoint_get(organisation=request.organisation, endpoint_id=endpoint_id)
    form = RotateForm(request.POST)
    if not form.is_valid():
        return redirect("webhook", endpoint_id)
    made = services.endpoint_rotate(
        organisation=request.organisation, endpoint_id=endpoint_id, **form.cleaned_data
    )
    return _secret_shown(request, *made)


@require_POST
@tenant_page("webhooks:write")
def endpoint_switch(request: PageRequest, endpoint_id: UUID, on: bool) -> HttpResponse:
    """Enable or disable."""
    switch = services.endpoint_enable if on else services.endpoint_disable
    switch(organisation=request.organisation, endpoint_id=endpoint_id)
    messages.success(request, "It is told again what happens." if on else "It is told nothing from now on.")
    return redirect("webhook", endpoint_id)


@require_POST
@tenant_page("webhooks:write")
def endpoint_test(request: PageRequest, endpoint_id: UUID) -> HttpResponse:
    """Send a test event, and look at its delivery."""
    sent = services.endpoint_test(organisation=request.organisation, endpoint_id=endpoint_id)
    return redirect("webhook-delivery", sent.pk)


@require_POST
@tenant_page("webhooks:write")
def endpoint_replay(request: PageRequest, endpoint_id: UUID) -> HttpResponse:
    """Send again what has failed."""
    selectors.endpoint_get(organisation=request.organisation, endpoint_id=endpoint_id)
    form = ReplayForm(request.POST)
    if form.is_valid():
        since = timezone.now() - timedelta(hours=form.cleaned_data["hours"])
        count = services.failed_replay(
            organisation=request.organisation, endpoint_id=endpoint_id, since=since
        )
        messages.success(request, f"{count:,} failed deliveries are being sent again.")
    return redirect("webhook", endpoint_id)


@require_POST
@tenant_page("webhooks:write")
def endpoint_delete(request: PageRequest, endpoint_id: UUID) -> HttpResponse:
    """Delete an endpoint."""
    services.endpoint_delete(organisation=request.organisation, endpoint_id=endpoint_id)
    messages.success(request, "The webhook is deleted.")
    return redirect("webhooks")


@require_GET
@tenant_page("webhooks:read")
def delivery(request: PageRequest, delivery_id: UUID) -> HttpResponse:
    """One delivery with each try."""
    found = selectors.delivery_get(organisation=request.organisation, delivery_id=delivery_id)
    context = {
        "delivery": found,
        "pill": delivery_pill(found),
        "attempts": list(reversed(found.attempts.all())),
        "waits": found.state == "pending",
        "may_replay": _may_write(request) and found.endpoint.is_active and found.state != "pending",
    }
    if request.headers.get("HX-Target") == "delivery":
        return render(
            request, "webhooks/delivery_part.html", context, status=200 if context["waits"] else 286
        )
    return render(request, "webhooks/delivery.html", context)


@require_POST
@tenant_page("webhooks:write")
def delivery_replay(request: PageRequest, delivery_id: UUID) -> HttpResponse:
    """Send one delivery again."""
    services.delivery_replay(organisation=request.organisation, delivery_id=delivery_id)
    return redirect("webhook-delivery", delivery_id)
