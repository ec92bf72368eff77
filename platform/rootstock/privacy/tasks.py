"""Background work of privacy."""

from celery import shared_task

from rootstock.accounts.rounds import each_organisation
from rootstock.privacy.archives import archives_expire
from rootstock.privacy.retention import retention_enforce


@shared_task
def enforce_retention() -> int:
    """Delete what the rules of every organisation say; returns how much."""
    return each_organisation(lambda one: sum(retention_enforce(one).values()))


@shared_task
def expire_archives() -> int:
    """Delete exports whose time is over."""
    return each_organisation(lambda one: archives_expire(organisation=one))
