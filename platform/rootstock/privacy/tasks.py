"""Background work of privacy."""

from celery import shared_task

from rootstock.accounts.models import Organisation
from rootstock.privacy.archives import archives_expire
from rootstock.privacy.retention import retention_enforce


@shared_task
def enforce_retention() -> int:
    """Delete what the rules of every organisation say; returns how much."""
    return sum(sum(retention_enforce(one).values()) for one in Organisation.objects.all())


@shared_task
def expire_archives() -> int:
    """Delete exports whose time is over."""
    return sum(archives_expire(organisation=one) for one in Organisation.objects.all())
