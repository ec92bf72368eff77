"""Scheduled work on idempotency keys."""

from celery import shared_task

from rootstock.idempotency import services


@shared_task
def purge_requests() -> int:
    """Every hour: forget what is older than a day."""
    return services.requests_purge()
