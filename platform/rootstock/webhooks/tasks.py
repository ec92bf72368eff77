"""Background work of webhooks."""

from uuid import UUID

from celery import shared_task

from rootstock.webhooks import delivering, retention
from rootstock.webhooks.outbox import wake_taken


@shared_task
def deliver(organisation_id: str) -> int:
    """Send what is due of one organisation."""
    wake_taken(UUID(organisation_id))
    return delivering.deliver(organisation=UUID(organisation_id))


@shared_task
def sweep_deliveries() -> int:
    """Every few seconds: have retries sent, and what the broker lost."""
    return delivering.deliveries_sweep()


@shared_task
def purge_events() -> int:
    """Once an hour: events past their time, with their deliveries; secrets of an older master key."""
    retention.secrets_sweep()
    return retention.events_purge()
