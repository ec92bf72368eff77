"""The job that checks a file that was too large to be checked while its sender waited."""

from typing import Any
from uuid import UUID

from rootstock.files import services
from rootstock.jobs.running import JobHandle


def scan(job: JobHandle) -> dict[str, Any]:
    """The job `files.scan`. A file that has been checked already stays as it is."""
    row = services.file_check(organisation=job.organisation.pk, file_id=UUID(job.params["file"]))
    return {"file": str(row.pk), "state": row.state, "reason": row.reason}
