"""Reads of webhooks: endpoints, the delivery log, and how each endpoint fares."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Aggregate, Count, FloatField, Prefetch, Q, QuerySet
from django.db.models.functions import TruncHour
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput, NotFound
from rootstock.paging import take_page
from rootstock.webhooks.models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint

CHART_HOURS = 24


class _Percentile(Aggregate):
    """PostgreSQL's percentile_cont within the group."""

    function = "percentile_cont"
    output_field = FloatField()

    def __init__(self, share: float, expression: str) -> None:
        template = f"%(function)s({share}) WITHIN GROUP (ORDER BY %(expressions)s)"
        super().__init__(expression, template=template)


@dataclass(slots=True, frozen=True)
class Hour:
    """An endpoint's attempts of one hour; latencies in ms, None without attempts."""

    at: datetime
    delivered: int = 0
    failed: int = 0
    p50: float | None = None
    p95: float | None = None


@dataclass(slots=True, frozen=True)
class Fare:
    """How an endpoint fared over the last day."""

    hours: list[Hour]
    delivered: int
    failed: int
    p50: float | None
    p95: float | None

    @property
    def success(self) -> float | None:
        """The share of attempts that were taken."""
        total = self.delivered + self.failed
        return self.delivered / total if total else None


def endpoints_page(
    *, organisation: Organisation, cursor: str | None = None, limit: int = 50
) -> tuple[list[WebhookEndpoint], str | None]:
    """A page of endpoints, newest first."""
    with tenant(organisation):
        return take_page(WebhookEndpoint.objects.all(), cursor=cursor, limit=limit)


def endpoint_get(*, organisation: Organisation, endpoint_id: UUID) -> WebhookEndpoint:
    """One endpoint."""
    with tenant(organisation):
        found = WebhookEndpoint.objects.filter(pk=endpoint_id).first()
    if found is None:
        raise NotFound("no such webhook endpoint")
    return found


def deliveries(*, endpoint: UUID | None = None, state: str | None = None) -> QuerySet[WebhookDelivery]:
    """The delivery log, filtered. Read it inside `tenant()`."""
    found = WebhookDelivery.objects.select_related("event", "endpoint")
    if state and state not in DeliveryState.values:
        raise InvalidInput.field("state", f"must be one of {', '.join(DeliveryState.values)}")
    if endpoint:
        found = found.filter(endpoint_id=endpoint)
    return found.filter(state=state) if state else found


def deliveries_page(
    *,
    organisation: Organisation,
    endpoint: UUID | None = None,
    state: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[WebhookDelivery], str | None]:
    """A page of the delivery log, newest first."""
    with tenant(organisation):
        return take_page(deliveries(endpoint=endpoint, state=state), cursor=cursor, limit=limit)


def delivery_get(*, organisation: Organisation, delivery_id: UUID) -> WebhookDelivery:
    """One delivery; its `attempts` are there too, oldest first."""
    tries = Prefetch("attempts", WebhookAttempt.objects.order_by("id"))
    with tenant(organisation):
        found = deliveries().prefetch_related(tries).filter(pk=delivery_id).first()
    if found is None:
        raise NotFound("no such delivery")
    return found


def endpoint_fare(*, organisation: Organisation, endpoint_id: UUID) -> Fare:
    """Success and latency of the last day, by the hour."""
    now = timezone.now()
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=CHART_HOURS - 1)
    figures = {
        "delivered": Count("pk", filter=Q(succeeded=True)),
        "failed": Count("pk", filter=Q(succeeded=False)),
        "p50": _Percentile(0.5, "latency_ms"),
        "p95": _Percentile(0.95, "latency_ms"),
    }
    with tenant(organisation):
        attempts = WebhookAttempt.objects.filter(endpoint_id=endpoint_id, at__gte=first)
        grouped = attempts.annotate(hour=TruncHour("at")).values("hour").annotate(**figures)
        by_hour = {row[0]: Hour(*row) for row in grouped.values_list("hour", *figures)}
        whole = attempts.aggregate(**figures)
    hours = [first + timedelta(hours=step) for step in range(CHART_HOURS)]
    return Fare([by_hour.get(at, Hour(at)) for at in hours], **whole)
