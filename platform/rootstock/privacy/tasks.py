"""Background work of privacy."""

from celery import shared_task

from rootstock.accounts.models import Organisation
from rootstock.privacy.requests import archives_expire, exports_settle
from rootstock.privacy.retention import retention_enforce


@shared_task
def enforce_retention() -> int:
    """Delete what the rules of every organisation say; returns how much."""
    return sum(sum(retention_enforce(one).values()) for one in Organisation.objects.all())


@shared_task
def expire_archives() -> int:
    """Delete exports whose time is over, and close those whose job has failed."""
    organisations = list(Organisation.objects.all())
    for one in organisations:
        exports_settle(organisation=one)
    return sum(archives_expire(organisation=one) for one in organisations)
