"""Reads of trainings: the jobs, what they told, and the versions that came out."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation import base_services, services
from rootstock.errors import NotFound
from rootstock.jobs.models import Job, JobEvent
from rootstock.registry.base import base_card
from rootstock.registry.models import AdapterVersion, Dataset, TrainedBase
from rootstock.registry.trained_bases import lineage_with

KINDS = (services.KIND, base_services.KIND)
MOST_DATASETS, MOST_VERSIONS = 500, 200


def trainings(kinds: Collection[str] = KINDS) -> "QuerySet[Job]":
    """Those of adapters and of bases. Read it inside `tenant()`."""
    return Job.objects.filter(kind__in=kinds).select_related("created_by", "schedule")


def training_get(*, organisation: Organisation | UUID, job_id: UUID) -> Job:
    """One training. Raises NotFound, also for a job of another kind."""
    [found] = trainings_get(organisation=organisation, job_ids=[job_id])
    return found


def trainings_get(*, organisation: Organisation | UUID, job_ids: Sequence[UUID]) -> list[Job]:
    """These trainings, in this order. Raises NotFound where one is missing."""
    with tenant(organisation):
        found = trainings().in_bulk(list(job_ids))
    if len(found) < len(set(job_ids)):
        raise NotFound("no such training")
    return [found[job_id] for job_id in job_ids]


def told_of(*, job: Job, type: str, most: int) -> list[JobEvent]:
    """The newest events of a type that is no step, in order."""
    with tenant(job.organisation_id):
        found = JobEvent.objects.filter(job=job, type=type).exclude(type="step").order_by("-sequence")
        return list(found[:most])[::-1]


def latest_step(*, job: Job) -> dict[str, Any]:
    """What the newest step told; empty before the first."""
    with tenant(job.organisation_id):
        found = JobEvent.objects.filter(job=job, type="step").order_by("-sequence").first()
    return found.data if found else {}


def version_of(*, job: Job) -> AdapterVersion | None:
    """The version that came out."""
    digest = (job.result or {}).get("digest")
    if not digest:
        return None
    with tenant(job.organisation_id):
        return AdapterVersion.objects.select_related("base", "dataset").filter(digest=digest).first()


def base_of(*, job: Job) -> TrainedBase | None:
    """The base that came out."""
    fingerprint = (job.result or {}).get("fingerprint")
    return lineage_with(organisation=job.organisation_id, fingerprint=fingerprint) if fingerprint else None


def datasets_named(*, organisation: Organisation | UUID, ids: Collection[str]) -> dict[str, Dataset]:
    """Data sets by id; those that are gone are missing."""
    with tenant(organisation):
        return {str(one.pk): one for one in Dataset.objects.filter(pk__in=set(ids))}


def datasets_to_train_on(*, organisation: Organisation | UUID) -> list[Dataset]:
    """Data sets whose content is there and that are no frozen test sets, the newest first."""
    with tenant(organisation):
        found = Dataset.objects.filter(is_test=False, erased_at=None).exclude(file=None)
        return list(found.order_by("-pk")[:MOST_DATASETS])


def versions_to_go_on_from(*, organisation: Organisation | UUID) -> list[AdapterVersion]:
    """Versions of the served base, the newest first."""
    card = base_card()
    if card is None:
        return []
    with tenant(organisation):
        found = AdapterVersion.objects.filter(retired_at=None, base__fingerprint=card.fingerprint)
        return list(found.exclude(card__rank=None).order_by("-pk")[:MOST_VERSIONS])


def newest_trainings(*, organisation: Organisation | UUID, most: int) -> list[Job]:
    """The newest of them."""
    with tenant(organisation):
        return list(trainings().order_by("-pk")[:most])
