"""Verification on request: at once where the chain is short, else as a job. Each is itself on record."""

from typing import Any

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditRoot
from rootstock.audit.selectors import VERIFIED
from rootstock.audit.services import audit_record
from rootstock.audit.verify import Verdict, chain_verify
from rootstock.audit.witness import own_witness
from rootstock.jobs.models import Job
from rootstock.jobs.running import JobHandle
from rootstock.jobs.services import job_create
from rootstock.webhooks.outbox import event_emit

KIND = "audit.verify"
AT_ONCE = 10_000
"""So many rows are verified while the caller waits: about a second."""


def verify_request(*, organisation: Organisation, created_by: User | None = None) -> Verdict | Job:
    """Verify now, or start the job that does."""
    with tenant(organisation):
        counts = AuditRoot.objects.values_list("count", flat=True)[: AT_ONCE + 1]
        long = sum(counts) > AT_ONCE
    if long:
        return job_create(organisation=organisation, kind=KIND, params={}, created_by=created_by)
    return trail_verify(organisation=organisation)


def trail_verify(*, organisation: Organisation, progress: Any = None) -> Verdict:
    """Verify against this machine's witness too, record what came out, and tell of a chain that is broken."""
    told = own_witness(str(organisation.pk))
    verdict = chain_verify(organisation=organisation, witnessed=told, progress=progress)
    with tenant(organisation):
        audit_record(
            organisation=organisation,
            action=VERIFIED,
            object_type="audit_trail",
            data=verdict.as_dict(),
        )
        if broken := verdict.broken:
            data = {"fault": broken.fault, "root": broken.sequence}
            event_emit(organisation=organisation, type="audit.chain_broken", data=data)
    return verdict


def verify(job: JobHandle) -> dict[str, Any]:
    """The job `audit.verify`."""

    def progress(done: int, total: int) -> None:
        job.progress(done, total, f"{done:,} of {total:,} rows verified")

    verdict = trail_verify(organisation=job.organisation, progress=progress)
    if verdict.broken:
        job.warn(f"The chain is broken: {verdict.broken.says}")
        job.progress(verdict.leaves, message="The chain is broken", force=True)
    return verdict.as_dict()
