"""Scheduled work on adapters."""

from celery import shared_task

from rootstock.registry.leftovers import adapters_sweep


@shared_task
def sweep_adapters() -> dict[str, int]:
    """Every few minutes: what interrupted checks and fetches left."""
    return adapters_sweep()
