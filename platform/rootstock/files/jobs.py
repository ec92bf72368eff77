"""The job that checks a file that was too large to be checked while its sender waited."""

from typing import Any
from uuid import UUID

from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound
from rootstock.files import services
from rootstock.files.models import StoredFile
from rootstock.jobs.running import JobHandle


def scan(job: JobHandle) -> dict[str, Any]:
    """The job `files.scan`. A file that has been checked already stays as it is; one may be gone by now."""
    file_id = UUID(job.params["file"])
    try:
        row = services.file_check(organisation=job.organisation.pk, file_id=file_id)
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
