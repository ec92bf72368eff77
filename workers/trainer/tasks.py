"""The Celery side of adaptation."""

from celery import shared_task

from rootstock.jobs.running import run_job


@shared_task
def train_adapter(organisation_id: str, job_id: str) -> None:
    """Train one adapter."""
    from workers.trainer.service import train

    run_job(organisation_id, job_id, train)
