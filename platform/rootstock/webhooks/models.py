"""Webhooks out: who is told, what happened, and how each telling went."""

from typing import Any

from django.db import models
from django.utils import timezone

from rootstock.accounts.models import User
from rootstock.accounts.tenancy import TenantModel

EVERY_EVENT = "*"
TEST_EVENT = "webhook.test"


class EndpointState(models.TextChoices):
    """A disabled endpoint is told nothing, and nothing is kept for it."""

    ACTIVE = "active"
    DISABLED = "disabled"


class DeliveryState(models.TextChoices):
    """The states of a delivery; a failed one can be replayed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookEndpoint(TenantModel):
    """An address of another system, and the events it wants.

    Two secrets sign while a rotation's overlap lasts, so that the receiver changes over when it suits it.
    """

    url = models.CharField(max_length=1000)
    description = models.CharField(max_length=200, blank=True)
    events = models.JSONField(default=list)  # names of settings.WEBHOOK_EVENTS, or "*"
    state = models.CharField(max_length=8, choices=EndpointState.choices, default=EndpointState.ACTIVE)
    disabled_reason = models.CharField(max_length=200, blank=True)
    secret = models.TextField()  # sealed, as the one below; see `signing`
    previous_secret = models.TextField(blank=True)
    previous_until = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "state"], name="webhook_endpoint_state")]

    @property
    def is_active(self) -> bool:
        """It is told what happens."""
        return self.state == EndpointState.ACTIVE

    @property
    def overlap_until(self) -> Any:
        """Until when the previous secret still signs; None when it does not."""
        until = self.previous_until
        return until if self.previous_secret and until and until > timezone.now() else None


class WebhookEvent(TenantModel):
    """Something that happened, written in the transaction of the change. `data` holds ids, never personal data."""

    type = models.CharField(max_length=64)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="webhook_event_age")]

    @property
    def message_id(self) -> str:
        """The `webhook-id` of every attempt, by which a receiver knows what it has seen."""
        return f"msg_{self.pk.hex}"


class WebhookDelivery(TenantModel):
    """One event for one endpoint: the outbox. A sender owns it while its lease lasts; `fence` counts the owners."""

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    tries = models.PositiveIntegerField(default=0)  # of this round; a replay begins a new one
    next_attempt_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    last_status = models.PositiveIntegerField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    finished_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "-id"], name="webhook_delivery_page"),
            models.Index(fields=["endpoint", "-id"], name="webhook_delivery_endpoint"),
            models.Index(
                fields=["next_attempt_at"], condition=models.Q(state="pending"), name="webhook_delivery_due"
            ),
        ]


class WebhookAttempt(TenantModel):
    """One try. `error` is our word for what went wrong, `excerpt` the beginning of what the receiver answered."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="attempts")
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="attempts")
    succeeded = models.BooleanField()
    status = models.PositiveIntegerField(null=True)
    latency_ms = models.FloatField()
    error = models.CharField(max_length=200, blank=True)
    excerpt = models.CharField(max_length=512, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["delivery", "id"], name="webhook_attempt_delivery"),
            models.Index(fields=["endpoint", "at"], name="webhook_attempt_endpoint"),
        ]
