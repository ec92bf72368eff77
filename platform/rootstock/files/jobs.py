"""The job that checks a file that was too large to be checked while its sender waited."""

from typing import Any
from uuid import UUID

from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound
from rootstock.files.checking import file_check
from rootstock.files.models import FileState, StoredFile
from rootstock.jobs.models import FINAL_STATES, Job
from rootstock.jobs.running import JobHandle
from rootstock.limited import ReaderLost


def scan(job: JobHandle) -> dict[str, Any]:
    """The job `files.scan`. A file that has been checked already stays as it is; one may be gone by now."""
    file_id = UUID(job.params["file"])
    if _is_anothers(job, file_id):
        return {"file": str(file_id), "state": FileState.QUARANTINED, "reason": "another job checks it"}
    try:
        row = file_check(organisation=job.organisation.pk, file_id=file_id, stop_with=job.stop_with)
    except ReaderLost:
        job.check()  # stopped: then nothing was lost
        raise
    except (NotFound, StoredFile.DoesNotExist, FileNotFoundError):
        if _is_there(job, file_id):
            raise
        return {
            "file": str(file_id),
            "state": "gone",
            "reason": "",
        }  # deleted, or used up by an adapter's intake
    return {"file": str(row.pk), "state": row.state, "reason": row.reason}


def _is_there(job: JobHandle, file_id: UUID) -> bool:
    with tenant(job.organisation):
        return StoredFile.objects.filter(pk=file_id).exists()


def _is_anothers(job: JobHandle, file_id: UUID) -> bool:
    """Whether a job that has not ended took the check over: an adapter's intake."""
    with tenant(job.organisation):
        by = StoredFile.objects.filter(pk=file_id).values_list("job_id", flat=True).first()
        return by is not None and by != job.id and _goes_on(by)


def _goes_on(job_id: UUID) -> bool:
    return Job.objects.filter(pk=job_id).exclude(state__in=FINAL_STATES).exists()
