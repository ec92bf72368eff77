"""The export as a streamed download."""

from datetime import datetime

from django.http import StreamingHttpResponse
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.audit.canonical import text_of
from rootstock.audit.export import trail_lines
from rootstock.audit.services import audit_record


def trail_download(
    *, organisation: Organisation, since: datetime | None = None, until: datetime | None = None
) -> StreamingHttpResponse:
    """The response; that the trail was taken out is itself on record."""
    period = {"since": text_of(since), "until": text_of(until)}
    audit_record(organisation=organisation, action="audit.exported", object_type="audit_trail", data=period)
    lines = trail_lines(organisation=organisation, since=since, until=until)
    name = f"audit-{organisation.slug}-{timezone.now():%Y%m%d-%H%M}.jsonl"
    return StreamingHttpResponse(
        lines,
        content_type="application/x-ndjson",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
