"""Background work of the support desk."""

from celery import shared_task

from apps.support import services
from rootstock.accounts.rounds import each_organisation


@shared_task
def expire_answers() -> int:
    """Mark the answers of workers that died as failed, in every organisation."""
    return each_organisation(lambda one: services.answers_expire(organisation=one))
