"""Scheduled work on jobs."""

from celery import shared_task

from rootstock.jobs import services


@shared_task
def reap_jobs() -> int:
    """Every few seconds: take up the jobs of dead workers."""
    return services.jobs_reap()
