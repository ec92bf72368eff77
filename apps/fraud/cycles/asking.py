"""Starting a search for cycles and reading what became of it, in the web process: what searches is not imported."""

from uuid import UUID

from apps.fraud.cycles.schemas import CycleSearchIn
from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, NotFound
from rootstock.jobs.models import FINAL_STATES, Job
from rootstock.jobs.services import job_create

KIND = "fraud.find_cycles"


def search_start(*, organisation: Organisation, wanted: CycleSearchIn, created_by: User | None = None) -> Job:
    """Start the job. Raises Conflict while another search runs."""
    with tenant(organisation):
        if Job.objects.filter(kind=KIND).exclude(state__in=FINAL_STATES).exists():
            raise Conflict("a search for cycles is running already")
        job = job_create(
            organisation=organisation, kind=KIND, params=wanted.model_dump(mode="json"), created_by=created_by
        )
        audit_record(
            organisation=organisation,
            action="payment_cycles.search_asked",
            object_type="job",
            object_id=job.pk,
            data=wanted.model_dump(mode="json"),
        )
    return job


def search_get(*, organisation: Organisation, job_id: UUID) -> Job:
    """A search. Raises NotFound."""
    with tenant(organisation):
        job = Job.objects.filter(pk=job_id, kind=KIND).first()
    if job is None:
        raise NotFound("no such search")
    return job


def last_search(*, organisation: Organisation) -> Job | None:
    """The newest search, whatever became of it."""
    with tenant(organisation):
        return Job.objects.filter(kind=KIND).order_by("-pk").first()
