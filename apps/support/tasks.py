"""Background work of the support desk."""

from celery import shared_task

from apps.support import services
from rootstock.accounts.models import Organisation


@shared_task
def expire_answers() -> int:
    """Mark the answers of workers that died as failed, in every organisation."""
    return sum(services.answers_expire(organisation=item) for item in Organisation.objects.all())
