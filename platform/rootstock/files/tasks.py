"""Scheduled work on files."""

from celery import shared_task

from rootstock.files import sweeping


@shared_task
def sweep_files() -> dict[str, int]:
    """Every few minutes: what broke off, what nobody checks, what is past its time."""
    return sweeping.files_sweep()


@shared_task
def sweep_orphans() -> int:
    """Once a day: content without a row."""
    return sweeping.orphans_sweep()
