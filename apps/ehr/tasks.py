"""Background work of the records vertical."""

from celery import shared_task

from rootstock.jobs.running import run_job


@shared_task
def ingest(organisation_id: str, job_id: str) -> None:
    """Store a Bundle, build the timeline, score, de-identify."""
    from apps.ehr.ingest import ingest as work

    run_job(organisation_id, job_id, work)
