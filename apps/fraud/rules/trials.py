"""Starting a back-test and reading what became of it, in the web process: what works it out is not imported here."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from apps.fraud.rules.versions import version_numbered
from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import InvalidInput, NotFound
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_create

KIND = "fraud.backtest"


class Wanted(BaseModel):
    """What to try: the job's parameters."""

    version: int
    since: datetime | None = None
    until: datetime | None = None
    review_cost: float
    decline_cost: float


def backtest_submit(*, organisation: Organisation, wanted: Wanted, created_by: User | None = None) -> Job:
    """Start the job. Raises NotFound for a version that there is not, InvalidInput for a time that ends first."""
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        raise InvalidInput.field("until", "must be later than since")
    with tenant(organisation):
        version = version_numbered(wanted.version)
        job = job_create(
            organisation=organisation, kind=KIND, params=wanted.model_dump(mode="json"), created_by=created_by
        )
        audit_record(
            organisation=organisation,
            action="rules.backtested",
            object_type="rules",
            object_id=version.pk,
            data={"rules": version.reference, "job": job.pk},
        )
    return job


def backtest_get(*, organisation: Organisation, job_id: UUID) -> Job:
    """A back-test. Raises NotFound."""
    with tenant(organisation):
        job = Job.objects.filter(pk=job_id, kind=KIND).first()
    if job is None:
        raise NotFound("no such back-test")
    return job
