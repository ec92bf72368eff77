"""The job `audit.export`: the latest days of the trail as a file to download, for a schedule to make."""

from datetime import timedelta
from tempfile import TemporaryFile
from typing import Annotated, Any

from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field

from rootstock.audit.canonical import text_of
from rootstock.audit.export import trail_lines
from rootstock.audit.services import audit_record
from rootstock.jobs.running import JobHandle


class ExportParams(BaseModel):
    """How many days back the file reaches."""

    model_config = ConfigDict(extra="forbid")
    days: Annotated[int, Field(ge=1, le=366)] = 7


def export(job: JobHandle) -> dict[str, Any]:
    """Keep the file; that the trail was taken out is itself on record."""
    now = timezone.now()
    since = now - timedelta(days=ExportParams(**job.params).days)
    with TemporaryFile() as lines:
        for part in trail_lines(organisation=job.organisation, since=since):
            job.check()
            lines.write(part)
        lines.seek(0)
        name = f"audit-{job.organisation.slug[:60]}-{now:%Y%m%d-%H%M}.jsonl"
        job.artefact(name, lines, "application/x-ndjson")
    with job.commit() as result:
        data = {"since": text_of(since), "until": None, "file": name}
        audit_record(
            organisation=job.organisation, action="audit.exported", object_type="audit_trail", data=data
        )
        result |= data
    return result
