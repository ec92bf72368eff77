"""The Celery side of fraud."""

from celery import shared_task

from rootstock.jobs.running import run_job


@shared_task
def score_batch(organisation_id: str, job_id: str) -> None:
    """Score the payments of one batch."""
    from apps.fraud.batches import score

    run_job(organisation_id, job_id, score)
