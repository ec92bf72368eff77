"""Ended jobs are kept for a while with their events, and those that prove something for good."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.rounds import each_organisation
from rootstock.accounts.tenancy import tenant
from rootstock.ids import uuid7_at
from rootstock.jobs.models import FINAL_STATES, Job, JobArtefact

PURGED_AT_ONCE = 100  # a training has a hundred thousand events


def jobs_purge() -> int:
    """Delete the jobs whose time is over, in every organisation. Returns how many."""
    oldest = timezone.now() - timedelta(days=settings.JOB_KEEP_DAYS)
    return each_organisation(lambda organisation: _purge(organisation, oldest))


def _purge(organisation: Organisation, oldest: datetime) -> int:
    count = 0
    while True:
        with tenant(organisation):
            some = list(_over(oldest).values_list("pk", flat=True)[:PURGED_AT_ONCE])
            Job.objects.filter(pk__in=some).delete()
        count += len(some)
        if len(some) < PURGED_AT_ONCE:
            return count


def _over(oldest: datetime) -> QuerySet[Job]:
    """Ended before then; without evidence, trainings whose adapter is there, and files still to be had."""
    evidence = [name for name, kind in settings.JOB_KINDS.items() if kind.evidence]
    stored = JobArtefact.objects.exclude(path="").values("job")
    ended = Job.objects.filter(state__in=FINAL_STATES, finished_at__lt=oldest, pk__lt=uuid7_at(oldest))
    return ended.filter(adapters=None).exclude(kind__in=evidence).exclude(pk__in=stored)
