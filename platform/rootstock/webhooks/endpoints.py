"""Writes on endpoints: each is audited, and none but creation and rotation shows a secret."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput, NotFound
from rootstock.webhooks.delivering import endpoint_stop
from rootstock.webhooks.guard import url_check
from rootstock.webhooks.models import (
    EVERY_EVENT,
    TEST_EVENT,
    DeliveryState,
    EndpointState,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from rootstock.webhooks.outbox import deliveries_create, deliveries_wake
from rootstock.webhooks.signing import sealed, secret_new

MAX_ENDPOINTS = 50
MAX_OVERLAP_HOURS = 24 * 30


def endpoint_create(
    *,
    organisation: Organisation,
    url: str,
    events: Sequence[str],
    description: str = "",
    created_by: User | None = None,
) -> tuple[WebhookEndpoint, str]:
    """Add an endpoint. Its secret is returned once and cannot be read again."""
    fields = _checked(url=url, events=events, description=description)
    with tenant(organisation):
        if WebhookEndpoint.objects.count() >= MAX_ENDPOINTS:
            raise Conflict(f"an organisation has at most {MAX_ENDPOINTS} webhook endpoints")
        secret = secret_new()
        endpoint = WebhookEndpoint(organisation=organisation, created_by=created_by, **fields)
        endpoint.secret = sealed(endpoint.pk, secret)
        endpoint.save()
        _audit(endpoint, "created", events=endpoint.events)
    return endpoint, secret


def endpoint_update(*, organisation: Organisation, endpoint_id: UUID, **changes: Any) -> WebhookEndpoint:
    """Change the url, the events or the description."""
    fields = _checked(**changes)
    with tenant(organisation):
        endpoint = endpoint_locked(endpoint_id)
        for name, value in fields.items():
            setattr(endpoint, name, value)
        endpoint.save(update_fields=[*fields, "updated_at"])
        _audit(endpoint, "changed", fields=sorted(fields))
    return endpoint


def endpoint_delete(*, organisation: Organisation, endpoint_id: UUID) -> None:
    """Delete an endpoint with its delivery log."""
    with tenant(organisation):
        endpoint = endpoint_locked(endpoint_id)
        _audit(endpoint, "deleted")
        endpoint.delete()


def endpoint_disable(*, organisation: Organisation, endpoint_id: UUID, reason: str = "") -> WebhookEndpoint:
    """Tell it nothing from now on. Events of the meantime are not kept for it."""
    with tenant(organisation):
        endpoint = endpoint_locked(endpoint_id)
        if endpoint.is_active:
            endpoint.failing_since = None  # a member ended its work, not a row of failures
            endpoint.save(update_fields=["failing_since"])
            endpoint_stop(endpoint, _text("reason", reason) or "switched off by a member")
    return endpoint


def endpoint_enable(*, organisation: Organisation, endpoint_id: UUID) -> WebhookEndpoint:
    """Tell it again what happens; its failures are forgotten."""
    with tenant(organisation):
        endpoint = endpoint_locked(endpoint_id)
        if not endpoint.is_active:
            endpoint.state, endpoint.disabled_reason, endpoint.failing_since = EndpointState.ACTIVE, "", None
            endpoint.save(update_fields=["state", "disabled_reason", "failing_since", "updated_at"])
            _audit(endpoint, "enabled")
    return endpoint


def endpoint_rotate(
    *, organisation: Organisation, endpoint_id: UUID, overlap_hours: int = 24
) -> tuple[WebhookEndpoint, str]:
    """A new secret; the one before signs beside it while the overlap lasts (0 ends it now)."""
    if not 0 <= overlap_hours <= MAX_OVERLAP_HOURS:
        raise InvalidInput.field("overlap_hours", f"must be between 0 and {MAX_OVERLAP_HOURS}")
    secret = secret_new()
    with tenant(organisation):
        endpoint = endpoint_locked(endpoint_id)
        endpoint.previous_secret = endpoint.secret if overlap_hours else ""
        endpoint.previous_until = timezone.now() + timedelta(hours=overlap_hours) if overlap_hours else None
        endpoint.secret = sealed(endpoint.pk, secret)
        endpoint.save(update_fields=["secret", "previous_secret", "previous_until", "updated_at"])
        _audit(endpoint, "secret_rotated", overlap_hours=overlap_hours)
    return endpoint, secret


def endpoint_test(*, organisation: Organisation, endpoint_id: UUID) -> WebhookDelivery:
    """Send it a test event, whatever it asked for."""
    with tenant(organisation) as owner:
        endpoint = endpoint_locked(endpoint_id)
        _refuse_disabled(endpoint)
        data = {"endpoint": str(endpoint.pk)}
        event = WebhookEvent.objects.create(organisation_id=owner, type=TEST_EVENT, data=data)
        [delivery] = deliveries_create(owner, [endpoint], [event])
        _audit(endpoint, "test_sent")
    return delivery


def delivery_replay(*, organisation: Organisation, delivery_id: UUID) -> WebhookDelivery:
    """Send one delivery again, now and under the same id, with a full round of tries."""
    with tenant(organisation):
        delivery = (
            WebhookDelivery.objects.select_for_update(of=("self",))
            .select_related("endpoint", "event")
            .filter(pk=delivery_id)
            .first()
        )
        if delivery is None:
            raise NotFound("no such delivery")
        _refuse_disabled(delivery.endpoint)
        if delivery.lease_until and delivery.lease_until > timezone.now():
            raise Conflict("this delivery is being sent at this moment")
        _replay(organisation, WebhookDelivery.objects.filter(pk=delivery.pk))
        _audit(delivery.endpoint, "delivery_replayed", delivery=str(delivery.pk))
        delivery.refresh_from_db(fields=["state", "tries", "next_attempt_at", "lease_until", "finished_at"])
    return delivery


def failed_replay(*, organisation: Organisation, endpoint_id: UUID, since: datetime) -> int:
    """Send again everything of an endpoint that has failed since a time. Returns how many."""
    with tenant(organisation):
        endpoint = endpoint_locked(endpoint_id)
        _refuse_disabled(endpoint)
        failed = endpoint.deliveries.filter(state=DeliveryState.FAILED, created_at__gte=since)
        count = _replay(organisation, failed)
        _audit(endpoint, "failed_replayed", since=since.isoformat(), count=count)
    return count


def _replay(organisation: Organisation, deliveries: Any) -> int:
    count: int = deliveries.update(
        state=DeliveryState.PENDING,
        tries=0,
        next_attempt_at=timezone.now(),
        lease_until=None,
        finished_at=None,
    )
    transaction.on_commit(lambda: deliveries_wake(organisation.pk))
    return count


def endpoint_locked(endpoint_id: UUID) -> WebhookEndpoint:
    """The endpoint, held until the transaction ends. Call it inside `tenant()`."""
    endpoint = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound("no such webhook endpoint")
    return endpoint


def _refuse_disabled(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_active:
        raise Conflict("the endpoint is disabled; enable it first")


def _checked(**given: Any) -> dict[str, Any]:
    found = dict(given)
    if "events" in found:
        found["events"] = _events(found["events"])
    if "description" in found:
        found["description"] = _text("description", found["description"])
    if "url" in found:
        if len(found["url"]) > 1000:
            raise InvalidInput.field("url", "has more than 1000 characters")
        url_check(found["url"])
    return found


def _events(events: Sequence[str]) -> list[str]:
    wanted = sorted(set(events))
    unknown = [one for one in wanted if one != EVERY_EVENT and one not in settings.WEBHOOK_EVENTS]
    if unknown:
        raise InvalidInput.field("events", f"unknown: {', '.join(unknown)[:200]}")
    if not wanted:
        raise InvalidInput.field("events", "choose at least one")
    return [EVERY_EVENT] if EVERY_EVENT in wanted else wanted


def _text(field: str, text: str) -> str:
    if len(text) > 200:
        raise InvalidInput.field(field, "has more than 200 characters")
    return text.strip()


def _audit(endpoint: WebhookEndpoint, done: str, **data: Any) -> None:
    audit_record(
        organisation=endpoint.organisation_id,
        action=f"webhook_endpoint.{done}",
        object_type="webhook_endpoint",
        object_id=endpoint.pk,
        data=data,
    )
