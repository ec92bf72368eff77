"""The lists of endpoints and deliveries, as declared tables."""

from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rootstock.console.tables import ChoiceFilter, Column, DateFilter, Empty, Table, TextFilter
from rootstock.console.templatetags.console import pill
from rootstock.webhooks.models import (
    EVERY_EVENT,
    DeliveryState,
    EndpointState,
    WebhookDelivery,
    WebhookEndpoint,
)

_TONES = {"delivered": ("ok", "Delivered"), "pending": ("info", "Waiting"), "failed": ("error", "Failed")}


def endpoint_pill(row: WebhookEndpoint) -> SafeString:
    """active, failing or disabled."""
    if not row.is_active:
        return pill("error" if row.failing_since else "neutral", "Disabled")
    return pill("warn", "Failing") if row.failing_since else pill("ok", "Active")


def delivery_pill(row: WebhookDelivery) -> SafeString:
    """delivered, waiting, trying again, failed."""
    if row.state == DeliveryState.PENDING and row.tries:
        return pill("warn", "Trying again")
    return pill(*_TONES[row.state])


def told_events(row: WebhookEndpoint) -> SafeString:
    """The first events and how many more."""
    if row.events == [EVERY_EVENT]:
        return format_html("{}", "Everything")
    first, rest = row.events[:2], row.events[2:]
    more = f" and {len(rest)} more" if rest else ""
    return format_html('<span title="{}">{}{}</span>', ", ".join(row.events), ", ".join(first), more)


ENDPOINTS = Table(
    name="webhooks",
    label="Webhook endpoints",
    columns=[
        Column("url", "Address", css="strong wide"),
        Column("description", "What receives it", css="wide"),
        Column("events", "Is told of", value=told_events, csv=lambda row: " ".join(row.events)),
        Column("state", "State", value=endpoint_pill, csv=lambda row: row.state),
        Column("failing_since", "Failing since", value=lambda row: row.failing_since, shown=False),
        Column("created", "Made", value=lambda row: row.created_at, order="id"),
    ],
    filters=[
        TextFilter("q", "Address", lookup="url__icontains"),
        ChoiceFilter("state", "State", lookup="state", choices=EndpointState.choices),
    ],
    sort="-created",
    row_url=lambda row: reverse("webhook", args=[row.pk]),
    empty=Empty(
        "No webhooks yet",
        "Add the address of a system of yours; it is told at once when a job ends or a payment is declined.",
        "webhook",
    ),
)


def _deliveries(name: str, *first: Column) -> Table:
    return Table(
        name=name,
        label="Deliveries",
        columns=[
            Column("event", "Event", value=lambda row: row.event.type, css="strong"),
            *first,
            Column("state", "State", value=delivery_pill, csv=lambda row: row.state),
            Column("tries", "Tries", css="num"),
            Column("answer", "Last answer", value=lambda row: row.last_error or row.last_status, css="wide"),
            Column("next", "Next try", value=lambda row: row.next_attempt_at),
            Column("message", "Message id", value=lambda row: row.event.message_id, css="mono", shown=False),
            Column("finished", "Ended", value=lambda row: row.finished_at, shown=False),
            Column("created", "Happened", value=lambda row: row.created_at, order="id"),
        ],
        filters=[
            ChoiceFilter("state", "State", lookup="state", choices=DeliveryState.choices),
            ChoiceFilter(
                "event",
                "Event",
                lookup="event__type",
                choices=[(one, one) for one in settings.WEBHOOK_EVENTS],
            ),
            DateFilter("created", "Happened", lookup="created_at", by_id=True),
        ],
        sort="-created",
        row_url=lambda row: reverse("webhook-delivery", args=[row.pk]),
        empty=Empty(
            "Nothing was sent yet", "Send a test event to see whether the receiver takes it.", "send"
        ),
    )


DELIVERIES = _deliveries(
    "webhook-deliveries", Column("url", "Endpoint", value=lambda row: row.endpoint.url, css="wide")
)
OF_ENDPOINT = _deliveries("webhook-endpoint-deliveries")
