"""What happens to an accepted Bundle, as a literal list of steps.

The steps that write run in one transaction, so that nobody reads half a record. De-identification comes after
it: a patient's score must not wait for the language model, and a note that could not be read stays withheld.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.ehr import deidentification, events, identity, scoring
from apps.ehr.fhir import notes as free_text
from apps.ehr.fhir.bundle import Entry, Json, ParsedBundle, check_bundle
from apps.ehr.models import OTHER, Event, ImportedBundle, ImportState, Note, NoteState, Patient, Resource
from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound
from rootstock.jobs.running import JobHandle
from rootstock.privacy.models import SubjectKey
from rootstock.privacy.subjects import key_destroy, subjects_ensure
from rootstock.webhooks.services import event_emit


@dataclass(slots=True)
class Ingest:
    """One Bundle on its way through the steps."""

    organisation: UUID
    row: ImportedBundle
    bundle: ParsedBundle
    patients: dict[str, Patient] = field(default_factory=dict)  # by the key of their entry
    resources: list[tuple[Entry, Resource]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


Step = Callable[[Ingest], None]


def find_patients(work: Ingest) -> None:
    """Each Patient of the Bundle becomes a new one or is recognised by an identifier."""
    for entry in work.bundle.of_type("Patient"):
        work.patients[entry.key] = identity.patient_upsert(work.organisation, entry)


def store_resources(work: Ingest) -> None:
    """Every resource that is read is kept as it came; one that was there before is replaced."""
    types = {entry.type for entry in work.bundle.entries}
    known = {
        (row.patient_id, row.type, row.key): row
        for row in Resource.objects.filter(type__in=types, key__in={e.key for e in work.bundle.entries})
    }
    new: list[Resource] = []
    changed: list[Resource] = []
    others = _others(work)
    for entry in work.bundle.entries:
        patient = work.patients.get(entry.subject or "")
        row = known.get((patient.pk if patient else None, entry.type, entry.key))
        subject = patient.subject if patient else others[_other(entry)]
        (changed if row else new).append(row := row or _new_resource(work, entry, patient))
        row.subject = subject
        row.content, row.bundle = entry.resource, work.row
        work.resources.append((entry, row))
    Resource.objects.bulk_create(new, batch_size=500)
    Resource.objects.bulk_update(changed, ["subject", "content", "bundle"], batch_size=500)
    work.report |= {"patients": len(work.patients), "resources": len(work.resources), "updated": len(changed)}


def build_timeline(work: Ingest) -> None:
    """Events and notes of these resources, made anew."""
    rows = [(row, row.patient) for _, row in work.resources if row.patient]
    Event.objects.filter(resource__in=[row for row, _ in rows]).delete()
    resolve = _resolver(work)
    made = [event for row, patient in rows for event in events.of_resource(row, patient, resolve)]
    Event.objects.bulk_create(made, batch_size=1000)
    written = sum(_write_notes(row, patient) for row, patient in rows)
    _last_seen(work.patients.values(), made)
    work.report |= {"events": len(made), "notes": written}


def score_risk(work: Ingest) -> None:
    """NEWS2 of every round of observations of these patients."""
    work.report["scores"] = sum(
        scoring.news2_refresh(patient, work.row.job_id) for patient in work.patients.values()
    )


# After parsing, in one transaction and in this order; then `deidentification.run`.
STEPS: tuple[Step, ...] = (find_patients, store_resources, build_timeline, score_risk)


def ingest(job: JobHandle) -> dict[str, Any]:
    """The job `ehr.ingest`. Running it again goes on where it stopped."""
    organisation, bundle_id = job.organisation.pk, UUID(job.params["bundle"])
    job.progress(0, None, "Reading the Bundle", force=True)
    with tenant(organisation):
        _one_at_a_time(organisation)
        row = ImportedBundle.objects.select_for_update().filter(pk=bundle_id).first()
        if row is None:
            raise NotFound("the Bundle is gone")
        if row.state == ImportState.RECEIVED:
            _store(organisation, row)
    deidentification.run(job, row)
    with job.commit() as result:
        result |= complete(organisation, bundle_id)
    return result


def complete(organisation: UUID, bundle_id: UUID) -> dict[str, Any]:
    """Every step is done: say so on the Bundle, and give its report."""
    with tenant(organisation):
        row = ImportedBundle.objects.select_for_update().get(pk=bundle_id)
        if row.state != ImportState.COMPLETE:
            event_emit(organisation=organisation, type="ehr.import_completed", data={"import": str(row.pk)})
        row.state, row.completed_at = ImportState.COMPLETE, timezone.now()
        row.save(update_fields=["state", "completed_at"])
        return {"bundle": str(row.pk), **row.report}


def _store(organisation: UUID, row: ImportedBundle) -> None:
    work = Ingest(organisation, row, check_bundle(row.content or {}))
    for step in STEPS:
        step(work)
    row.state, row.content, row.report = ImportState.STORED, None, {**row.report, **work.report}
    row.save(update_fields=["state", "content", "report"])
    if row.subject:  # the staging key: copies of the content that a backup may hold go with it
        key_destroy(row.subject)


def _one_at_a_time(organisation: UUID) -> None:
    """Two Bundles about one new person must not both create them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"ehr.ingest {organisation}"]
        )


def _new_resource(work: Ingest, entry: Entry, patient: Patient | None) -> Resource:
    return Resource(organisation_id=work.organisation, patient=patient, type=entry.type, key=entry.key)


def _other(entry: Entry) -> str:
    """A resource of nobody in care, as a subject."""
    return f"{entry.type}/{entry.key}"


def _others(work: Ingest) -> dict[str, SubjectKey]:
    """The keys of the resources that belong to no patient: one that was erased comes again as somebody new."""
    alone = [_other(entry) for entry in work.bundle.entries if (entry.subject or "") not in work.patients]
    return subjects_ensure(work.organisation, OTHER, alone)


def _resolver(work: Ingest) -> Callable[[str], Json | None]:
    by_key = {entry.key: entry.resource for entry in work.bundle.entries}
    return lambda reference: by_key.get(work.bundle.targets.get(reference, ""))


def _write_notes(row: Resource, patient: Patient) -> int:
    """Notes whose text has not changed keep their de-identified form."""
    found = {text.part: text for text in free_text.free_texts(row.content)}
    known = {note.part: note for note in Note.objects.filter(resource=row)} if row.pk else {}
    Note.objects.filter(resource=row).exclude(part__in=found).delete()
    for part, text in found.items():
        note = known.get(part) or Note(
            organisation_id=row.organisation_id,
            patient=patient,
            subject=patient.subject,
            resource=row,
            part=part,
        )
        if note.original != text.text:
            note.original, note.text, note.redactions, note.state = text.text, "", [], NoteState.WITHHELD
        note.title, note.time = text.title, text.time
        note.save()
    return len(found)


def _last_seen(patients: Iterable[Patient], events: list[Event]) -> None:
    now = timezone.now()
    for patient in patients:
        mine = (e.time for e in events if e.patient_id == patient.pk and e.kind != "person" and e.time)
        latest = max((t for t in mine if t <= now), default=None)
        if latest and (patient.last_seen_at is None or latest > patient.last_seen_at):
            patient.last_seen_at = latest
            patient.save(update_fields=["last_seen_at"])
