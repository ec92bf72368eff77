"""The outbox: events and their deliveries are rows of the transaction that made the change.

What is told to a worker is only that something waits; the rows are the truth, and beat looks for those whose
message was lost.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.celery import app
from rootstock.lanes import wire
from rootstock.webhooks.models import (
    EVERY_EVENT,
    EndpointState,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)

log = logging.getLogger(__name__)
_WAKE_TTL_S = 10


def event_emit(*, organisation: Organisation | UUID, type: str, data: dict[str, Any]) -> int:
    """Tell the organisation's endpoints. Call it in the transaction of the change; `data` holds ids.

    Returns how many endpoints will be told. Without any, it costs one short query and writes nothing.
    """
    return events_emit(organisation=organisation, type=type, data=[data])


def events_emit(*, organisation: Organisation | UUID, type: str, data: Sequence[dict[str, Any]]) -> int:
    """The same for several events of one type."""
    if type not in settings.WEBHOOK_EVENTS:
        raise ValueError(f"unknown event {type}: add it to settings.WEBHOOK_EVENTS")
    if not data:
        return 0
    with tenant(organisation) as owner:
        wanted = Q(events__contains=[type]) | Q(events__contains=[EVERY_EVENT])
        endpoints = list(WebhookEndpoint.objects.filter(wanted, state=EndpointState.ACTIVE))
        if endpoints:
            events = [WebhookEvent(organisation_id=owner, type=type, data=one) for one in data]
            WebhookEvent.objects.bulk_create(events, batch_size=2000)
            deliveries_create(owner, endpoints, events)
    return len(endpoints)


def deliveries_create(
    owner: UUID, endpoints: Sequence[WebhookEndpoint], events: Sequence[WebhookEvent]
) -> list[WebhookDelivery]:
    """A delivery of each event to each endpoint, due now. Call it inside `tenant()`."""
    now = timezone.now()
    rows = [
        WebhookDelivery(organisation_id=owner, endpoint=endpoint, event=event, next_attempt_at=now)
        for event in events
        for endpoint in endpoints
    ]
    WebhookDelivery.objects.bulk_create(rows, batch_size=2000)
    transaction.on_commit(lambda: deliveries_wake(owner))
    return rows


def wake_key(organisation: UUID) -> str:
    """Exists while a worker has been told, and has not yet looked: a burst of events sends one message."""
    return f"webhooks:wake:{organisation}"


def deliveries_wake(organisation: UUID) -> None:
    """Tell a worker that deliveries wait. A Valkey that is away is no error: beat tells it later."""
    try:
        with wire.connect() as valkey:
            if not valkey.set(wake_key(organisation), 1, nx=True, ex=_WAKE_TTL_S):
                return
        app.send_task("rootstock.webhooks.tasks.deliver", args=[str(organisation)])
    except (redis.RedisError, OperationalError):
        log.warning("webhooks of %s: the broker is away; beat will see to them", organisation)


def wake_taken(organisation: UUID) -> None:
    """A worker begins to look: what commits from now on tells it anew."""
    with suppress(redis.RedisError), wire.connect() as valkey:
        valkey.delete(wake_key(organisation))
