"""Writes on records."""

from dataclasses import dataclass
from typing import Any

from apps.ehr.fhir.bundle import ParsedBundle, check_bundle, load_json
from apps.ehr.fhir.notes import text_problems, unread
from apps.ehr.models import BUNDLE, ImportedBundle, ImportState
from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput
from rootstock.jobs.models import Job, JobState
from rootstock.jobs.services import job_create
from rootstock.privacy.subjects import subject_ensure

KIND = "ehr.ingest"


@dataclass(slots=True, frozen=True)
class Accepted:
    """A Bundle that is stored or on its way; `replayed` when it had been sent before."""

    bundle: ImportedBundle
    replayed: bool


def bundle_import(*, organisation: Organisation, body: bytes, created_by: User | None = None) -> Accepted:
    """Validate a Bundle, store it and queue the job that reads it.

    The same Bundle again, by content or by Bundle.identifier, gives the first one back; if its job had failed,
    a new job goes on with it. Raises InvalidInput (nothing is stored) and Conflict (same identifier, other content).
    """
    raw = load_json(body)
    parsed = check_bundle(raw)
    problems = [problem for entry in parsed.entries for problem in text_problems(entry)]
    if problems:
        raise InvalidInput(f"{problems[0].field}: {problems[0].reason}", errors=problems)
    with tenant(organisation):
        row, created = _find_or_create(organisation, parsed, raw)
        if created or _was_given_up(row):
            job = job_create(
                organisation=organisation, kind=KIND, params={"bundle": str(row.pk)}, created_by=created_by
            )
            row.job_id = job.pk
            row.save(update_fields=["job_id"])
            audit_record(
                organisation=organisation,
                action="bundle.imported",
                object_type="bundle",
                object_id=row.pk,
                data={"digest": row.digest, "entries": len(parsed.entries), "job": job.pk},
            )
    return Accepted(row, replayed=not created)


def _find_or_create(
    organisation: Organisation, parsed: ParsedBundle, raw: dict[str, Any]
) -> tuple[ImportedBundle, bool]:
    if parsed.identifier:
        same_name = ImportedBundle.objects.filter(identifier=parsed.identifier).first()
        if same_name and same_name.digest != parsed.digest:
            raise Conflict(f"identifier: {parsed.identifier} was sent before with other content")
    defaults: dict[str, Any] = {
        "identifier": parsed.identifier,
        "type": parsed.type,
        "subject": lambda: subject_ensure(organisation, BUNDLE, parsed.digest),
        "content": raw,
        "report": {"skipped": dict(parsed.skipped), "unread": _unread(parsed)},
    }
    return ImportedBundle.objects.get_or_create(
        organisation_id=organisation.pk, digest=parsed.digest, defaults=defaults
    )


def _unread(parsed: ParsedBundle) -> list[dict[str, str]]:
    return [{"field": path, "reason": why} for entry in parsed.entries for path, why in unread(entry)]


def _was_given_up(row: ImportedBundle) -> bool:
    if row.state == ImportState.COMPLETE:
        return False
    job = Job.objects.filter(pk=row.job_id).first() if row.job_id else None
    return job is None or job.state in (JobState.FAILED, JobState.CANCELLED)
