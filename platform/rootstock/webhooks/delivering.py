"""Sending what waits in the outbox.

A sender claims deliveries with a lease, sends outside of any transaction, and writes what came of it as the owner
with its fence. When it dies, the lease runs out and another sends again, under the same id: at least once.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from rootstock.accounts.tenancy import every_tenant, tenant
from rootstock.audit.services import audit_record
from rootstock.errors import InternalError
from rootstock.webhooks.models import (
    DeliveryState,
    EndpointState,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from rootstock.webhooks.outbox import deliveries_wake
from rootstock.webhooks.sending import Answer, message_of, send
from rootstock.webhooks.signing import secrets_of

log = logging.getLogger(__name__)
BATCH = 16
PER_ENDPOINT = 4  # on their way at once: a receiver that hangs does not hold the others
THREADS = 8
QUIET = timedelta(days=1)  # longer than a planned pause between tries: then a row of failures begins anew
DISABLED = "the endpoint was disabled"
SEALED = "not sent: its signing secret cannot be opened"
FAULTY = "not sent: an error of this installation, which its log describes"
WORK_S = 20.0  # then the queue's other tasks have their turn
Send = Callable[[WebhookDelivery], Answer]


@dataclass(slots=True, frozen=True)
class Sent:
    """A delivery as it was claimed, and how the attempt ended."""

    delivery: WebhookDelivery
    answer: Answer


def post(delivery: WebhookDelivery) -> Answer:
    """Send one delivery once."""
    event, endpoint = delivery.event, delivery.endpoint
    if not endpoint.is_active:  # disabled while the event was being written
        return Answer(0.0, error=DISABLED)
    try:
        secrets = secrets_of(endpoint)
    except (InternalError, ValueError) as error:  # its master key is gone, or what is stored was changed
        log.error("the secret of webhook endpoint %s cannot be opened: %s", endpoint.pk, error)
        return Answer(0.0, error=SEALED)
    message = message_of(event.message_id, event.type, event.created_at, event.data)
    return send(endpoint.url, message, secrets)


def _tried(delivery: WebhookDelivery, send: Send) -> Sent:
    """Whatever happens to one delivery is its own attempt's end: the others of the batch go out."""
    try:
        return Sent(delivery, send(delivery))
    except Exception:
        log.exception("delivery %s could not be sent", delivery.pk)
        return Sent(delivery, Answer(0.0, error=FAULTY))


def deliver(*, organisation: UUID, send: Send = post) -> int:
    """Send the organisation's due deliveries until none is left or the turn is over. Returns how many were tried."""
    until, tried = time.monotonic() + WORK_S, 0
    with ThreadPoolExecutor(THREADS, thread_name_prefix="webhook") as pool:
        while batch := deliveries_claim(organisation=organisation):
            for sent in pool.map(partial(_tried, send=send), batch):
                delivery_finish(sent)
            tried += len(batch)
            if time.monotonic() > until:
                deliveries_wake(organisation)
                break
    return tried


def _lease() -> timedelta:
    """Longer than a whole batch can take: its attempts run side by side, each with a deadline of its own."""
    return timedelta(seconds=(BATCH / THREADS) * (settings.WEBHOOK_TIMEOUT_S + 6) + 10)


def _due(now: datetime) -> Q:
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    return free & Q(state=DeliveryState.PENDING, next_attempt_at__lte=now)


def deliveries_claim(*, organisation: UUID) -> list[WebhookDelivery]:
    """Take some due deliveries; nobody else sends them while the lease lasts."""
    now = timezone.now()
    with tenant(organisation):
        busy = _on_their_way(now)
        full = [endpoint for endpoint, count in busy.items() if count >= PER_ENDPOINT]
        due = WebhookDelivery.objects.filter(_due(now)).exclude(endpoint__in=full)
        rows = due.order_by("next_attempt_at", "id").select_for_update(skip_locked=True)
        taken = _fairly(rows.values_list("pk", "endpoint_id")[: BATCH * 4], busy)
        WebhookDelivery.objects.filter(pk__in=taken).update(lease_until=now + _lease(), fence=F("fence") + 1)
        found = WebhookDelivery.objects.select_related("endpoint", "event").in_bulk(taken)
    return [found[one] for one in taken]


def _on_their_way(now: datetime) -> Counter[UUID]:
    """How many deliveries other senders hold, by endpoint."""
    held = WebhookDelivery.objects.filter(state=DeliveryState.PENDING, lease_until__gte=now)
    return Counter(held.values_list("endpoint_id", flat=True))


def _fairly(rows: Iterable[tuple[UUID, UUID]], busy: Counter[UUID]) -> list[UUID]:
    """Up to a batch, and of one endpoint no more than may be on their way at once."""
    counts, taken = busy.copy(), []
    for delivery, endpoint in rows:
        counts[endpoint] += 1
        if counts[endpoint] <= PER_ENDPOINT:
            taken.append(delivery)
    return taken[:BATCH]


def delivery_finish(sent: Sent) -> bool:
    """Write down an attempt and what follows from it. False when the lease had passed to another."""
    delivery, answer, now = sent.delivery, sent.answer, timezone.now()
    with tenant(delivery.organisation_id):
        held = WebhookDelivery.objects.filter(
            pk=delivery.pk, fence=delivery.fence, state=DeliveryState.PENDING
        )
        fields = _following(delivery, answer, now)
        endpoint = _endpoint_held(delivery.endpoint_id)
        if endpoint is None or not held.update(
            lease_until=None,
            tries=F("tries") + 1,
            last_status=answer.status,
            last_error=answer.error,
            **fields,
        ):
            return False
        _endpoint_judge(endpoint, answer, now)
        _attempt_create(delivery, answer)
    return True


def _following(delivery: WebhookDelivery, answer: Answer, now: datetime) -> dict[str, object]:
    if answer.succeeded:
        return {"state": DeliveryState.DELIVERED, "finished_at": now, "next_attempt_at": None}
    if delivery.tries >= len(settings.WEBHOOK_RETRY_S) or not delivery.endpoint.is_active:
        return {"state": DeliveryState.FAILED, "finished_at": now, "next_attempt_at": None}
    return {"next_attempt_at": now + timedelta(seconds=pause_s(delivery.tries, answer.retry_after_s))}


def pause_s(tries: int, asked_s: float | None = None) -> float:
    """Seconds until the next attempt: the schedule, a fifth more or less, and no less than the receiver asked."""
    planned = settings.WEBHOOK_RETRY_S[tries] * random.uniform(0.8, 1.2)
    return float(max(planned, asked_s or 0.0))


def _attempt_create(delivery: WebhookDelivery, answer: Answer) -> None:
    WebhookAttempt.objects.create(
        organisation_id=delivery.organisation_id,
        delivery=delivery,
        endpoint_id=delivery.endpoint_id,
        succeeded=answer.succeeded,
        status=answer.status,
        latency_ms=answer.latency_ms,
        error=answer.error,
        excerpt=answer.excerpt,
    )


def _endpoint_held(endpoint_id: UUID) -> WebhookEndpoint | None:
    """The endpoint before its deliveries: whoever disables or deletes it takes them in this order too."""
    return WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_id).first()


def _endpoint_judge(endpoint: WebhookEndpoint, answer: Answer, now: datetime) -> None:
    """A success ends a row of failures; 410, or days of nothing but failures, end the endpoint's work.

    A row lasts while attempts follow each other: what failed once last week and once now has not failed for a week.
    """
    if not endpoint.is_active:
        return
    since = endpoint.failing_since
    lately = WebhookAttempt.objects.filter(endpoint=endpoint, at__gte=now - QUIET)
    failing_since = None if answer.succeeded else since if since and lately.exists() else now
    if failing_since != since:
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=failing_since)
    if failing_since is None:
        return
    limit = timedelta(days=settings.WEBHOOK_DISABLE_AFTER_DAYS)
    if answer.status == 410:
        endpoint_stop(endpoint, "the receiver answered 410: it is gone for good")
    elif now - failing_since >= limit:
        endpoint_stop(endpoint, f"every delivery failed for {limit.days} days")


def endpoint_stop(endpoint: WebhookEndpoint, reason: str) -> None:
    """Tell it nothing more. What still waited has failed, and can be replayed once it is active again."""
    endpoint.state, endpoint.disabled_reason = EndpointState.DISABLED, reason
    endpoint.save(update_fields=["state", "disabled_reason", "updated_at"])
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.PENDING)
    waiting.update(
        state=DeliveryState.FAILED,
        finished_at=timezone.now(),
        next_attempt_at=None,
        last_error=DISABLED,
    )
    audit_record(
        organisation=endpoint.organisation_id,
        action="webhook_endpoint.disabled",
        object_type="webhook_endpoint",
        object_id=endpoint.pk,
        data={"reason": reason},
    )


def organisations_waiting() -> list[UUID]:
    """Organisations with a delivery that is due and that nobody is sending."""
    due = WebhookDelivery.objects.filter(_due(timezone.now())).order_by()
    with every_tenant("webhooks"):
        return list(due.values_list("organisation_id", flat=True).distinct())


def deliveries_sweep() -> int:
    """What beat calls: retries that are due, and deliveries whose message the broker lost."""
    waiting = organisations_waiting()
    for organisation in waiting:
        deliveries_wake(organisation)
    return len(waiting)
