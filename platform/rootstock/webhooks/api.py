"""REST: webhook endpoints, their deliveries, replay."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.idempotency.marks import claims_first
from rootstock.moments import Moment
from rootstock.paging import Page, page_of
from rootstock.webhooks import selectors, services
from rootstock.webhooks.models import WebhookDelivery, WebhookEndpoint

router = Router(tags=["webhooks"])


class EventTypeOut(Schema):
    """A type of event."""

    type: str
    description: str


class EndpointOut(Schema):
    """A webhook endpoint."""

    id: UUID
    url: str
    description: str
    events: list[str]
    state: str
    disabled_reason: str
    failing_since: datetime | None
    overlap_until: datetime | None
    created_at: datetime
    updated_at: datetime


class EndpointWithSecret(EndpointOut):
    """A webhook endpoint with its secret, which is shown this once."""

    secret: str


class EndpointIn(Schema):
    """What to tell whom. `events` are types of GET /webhooks/events, or "*" for every one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"url": "https://hooks.example.com/rootstock", "events": ["job.failed"]}
        },
    )
    url: str
    events: list[str]
    description: str = ""


class EndpointChange(Schema):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    url: str | None = None
    events: list[str] | None = None
    description: str | None = None


class SecretRotateIn(Schema):
    """For how long the secret before signs beside the new one."""

    model_config = ConfigDict(extra="forbid")
    overlap_hours: Annotated[int, Field(ge=0, le=720)] = 24


class ReplayIn(Schema):
    """From when on failed deliveries are sent again."""

    model_config = ConfigDict(extra="forbid")
    since: Moment


class ReplayOut(Schema):
    """How many deliveries wait to be sent again."""

    replayed: int


class AttemptOut(Schema):
    """One try."""

    at: datetime
    succeeded: bool
    status: int | None
    latency_ms: float
    error: str
    excerpt: str


class DeliveryOut(Schema):
    """One event for one endpoint."""

    id: UUID
    endpoint_id: UUID
    event_type: str = Field(alias="event.type")
    message_id: str = Field(alias="event.message_id")
    state: str
    tries: int
    last_status: int | None
    last_error: str
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


class DeliveryDetail(DeliveryOut):
    """One delivery with what was sent and each try."""

    data: dict[str, Any] = Field(alias="event.data")
    attempts: list[AttemptOut]


@router.get("/events", response=list[EventTypeOut], auth=scope("webhooks:read"))
def list_event_types(request: ApiRequest) -> list[dict[str, str]]:
    """What endpoints can ask to be told."""
    return [{"type": name, "description": text} for name, text in settings.WEBHOOK_EVENTS.items()]


@router.get("/endpoints", response=Page[EndpointOut], auth=scope("webhooks:read"))
def list_endpoints(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Endpoints, newest first."""
    rows, following = selectors.endpoints_page(
        organisation=request.auth.organisation, cursor=cursor, limit=limit
    )
    return page_of(rows, following, EndpointOut.from_orm)


@router.post("/endpoints", response={201: EndpointWithSecret}, auth=scope("webhooks:write"))
@claims_first
def create_endpoint(request: ApiRequest, body: EndpointIn) -> Status[dict[str, Any]]:
    """Add an endpoint. The answer holds the secret, which is never shown again.

    Deliveries follow Standard Webhooks: verify `webhook-signature` with the secret, answer 2xx within ten seconds,
    and take a `webhook-id` that you have seen as done. Anything else is tried again for about a day.
    """
    endpoint, secret = services.endpoint_create(
        organisation=request.auth.organisation, created_by=request.auth.user, **body.dict()
    )
    return Status(201, _with_secret(endpoint, secret))


@router.get("/endpoints/{uuid:endpoint_id}", response=EndpointOut, auth=scope("webhooks:read"))
def get_endpoint(request: ApiRequest, endpoint_id: UUID) -> WebhookEndpoint:
    """One endpoint."""
    return selectors.endpoint_get(organisation=request.auth.organisation, endpoint_id=endpoint_id)


@router.patch("/endpoints/{uuid:endpoint_id}", response=EndpointOut, auth=scope("webhooks:write"))
@claims_first
def change_endpoint(request: ApiRequest, endpoint_id: UUID, body: EndpointChange) -> WebhookEndpoint:
    """Change the url, the events or the description."""
    changes = body.dict(exclude_none=True)
    return services.endpoint_update(
        organisation=request.auth.organisation, endpoint_id=endpoint_id, **changes
    )


@router.delete("/endpoints/{uuid:endpoint_id}", response={204: None}, auth=scope("webhooks:write"))
def delete_endpoint(request: ApiRequest, endpoint_id: UUID) -> Status[None]:
    """Delete an endpoint with its delivery log."""
    services.endpoint_delete(organisation=request.auth.organisation, endpoint_id=endpoint_id)
    return Status(204, None)


@router.post("/endpoints/{uuid:endpoint_id}/enable", response=EndpointOut, auth=scope("webhooks:write"))
def enable_endpoint(request: ApiRequest, endpoint_id: UUID) -> WebhookEndpoint:
    """Tell it again what happens."""
    return services.endpoint_enable(organisation=request.auth.organisation, endpoint_id=endpoint_id)


@router.post("/endpoints/{uuid:endpoint_id}/disable", response=EndpointOut, auth=scope("webhooks:write"))
def disable_endpoint(request: ApiRequest, endpoint_id: UUID) -> WebhookEndpoint:
    """Tell it nothing from now on; what waits for it has failed, and can be replayed later."""
    return services.endpoint_disable(organisation=request.auth.organisation, endpoint_id=endpoint_id)


@router.post(
    "/endpoints/{uuid:endpoint_id}/rotate", response=EndpointWithSecret, auth=scope("webhooks:write")
)
def rotate_secret(request: ApiRequest, endpoint_id: UUID, body: SecretRotateIn) -> dict[str, Any]:
    """A new secret. Both sign while the overlap lasts, so that you can change over without losing a delivery."""
    endpoint, secret = services.endpoint_rotate(
        organisation=request.auth.organisation, endpoint_id=endpoint_id, overlap_hours=body.overlap_hours
    )
    return _with_secret(endpoint, secret)


@router.post("/endpoints/{uuid:endpoint_id}/test", response={202: DeliveryOut}, auth=scope("webhooks:write"))
def send_test(request: ApiRequest, endpoint_id: UUID) -> Status[WebhookDelivery]:
    """Send a `webhook.test` event to this endpoint alone."""
    return Status(
        202, services.endpoint_test(organisation=request.auth.organisation, endpoint_id=endpoint_id)
    )


@router.post("/endpoints/{uuid:endpoint_id}/replay", response={202: ReplayOut}, auth=scope("webhooks:write"))
def replay_failed(request: ApiRequest, endpoint_id: UUID, body: ReplayIn) -> Status[dict[str, int]]:
    """Send again everything of this endpoint that has failed since a time."""
    count = services.failed_replay(
        organisation=request.auth.organisation, endpoint_id=endpoint_id, since=body.since
    )
    return Status(202, {"replayed": count})


@router.get("/deliveries", response=Page[DeliveryOut], auth=scope("webhooks:read"))
def list_deliveries(
    request: ApiRequest,
    endpoint: UUID | None = None,
    state: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """The delivery log, newest first. `state` is pending, delivered or failed."""
    rows, following = selectors.deliveries_page(
        organisation=request.auth.organisation, endpoint=endpoint, state=state, cursor=cursor, limit=limit
    )
    return page_of(rows, following, DeliveryOut.from_orm)


@router.get("/deliveries/{uuid:delivery_id}", response=DeliveryDetail, auth=scope("webhooks:read"))
def get_delivery(request: ApiRequest, delivery_id: UUID) -> WebhookDelivery:
    """One delivery with each try: status, latency, and the beginning of what was answered."""
    return selectors.delivery_get(organisation=request.auth.organisation, delivery_id=delivery_id)


@router.post(
    "/deliveries/{uuid:delivery_id}/replay", response={202: DeliveryOut}, auth=scope("webhooks:write")
)
def replay_delivery(request: ApiRequest, delivery_id: UUID) -> Status[WebhookDelivery]:
    """Send one delivery again, now and under the same `webhook-id`."""
    found = services.delivery_replay(organisation=request.auth.organisation, delivery_id=delivery_id)
    return Status(202, found)


def _with_secret(endpoint: WebhookEndpoint, secret: str) -> dict[str, Any]:
    return {**EndpointOut.from_orm(endpoint).dict(), "secret": secret}
