"""Scheduled work on usage."""

from celery import shared_task

from rootstock.gateway import usage


@shared_task
def purge_calls() -> int:
    """Every hour: forget which calls were counted a week ago; their sums stay."""
    return usage.calls_purge()
