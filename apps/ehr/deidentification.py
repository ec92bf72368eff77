"""Notes go to the worker that reads them for identifiers, and come back without.

Fail closed: a note keeps the state `withheld` until the worker has answered for it. Nothing here falls back
to weaker means when the model is away; the job is tried again. An organisation's own adapter reads by the alias
`clinical-deid:production`, resolved for each patient when the notes are sent (decision 0110).
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.ehr.evidence import note_facts
from apps.ehr.fhir import notes as free_text
from apps.ehr.fhir.values import Json
from apps.ehr.models import ImportedBundle, Note, NoteState, Resource
from models_zoo.clinical.deid.known import Known, survivors
from models_zoo.clinical.deid.scrub import Redaction, Scrubbed
from rootstock.accounts.tenancy import tenant
from rootstock.audit.decisions import decisions_record
from rootstock.jobs.running import JobHandle
from rootstock.lanes import client
from rootstock.privacy.fields import is_erased
from rootstock.registry.resolving import Chosen, choose_own

LANE = "ehr.deidentify"
ALIAS = "clinical-deid:production"
BATCH = 8
DEADLINE_S = 120.0


def run(job: JobHandle, bundle: ImportedBundle) -> None:
    """De-identify what the Bundle brought, patient by patient.

    Raises the lane's Unavailable, Busy or DeadlineExceeded; the patients before that are done.
    """
    organisation = bundle.organisation_id
    waiting = _waiting(organisation, bundle.pk)
    done, total = 0, sum(len(ids) for ids in waiting.values())
    job.progress(done, total, "Removing identifiers from notes", force=True)
    for ids in waiting.values():
        notes_deidentify(organisation, ids, job_id=job.id)
        done += len(ids)
        job.progress(done, total, "Removing identifiers from notes", force=True)


def notes_deidentify(organisation: UUID, note_ids: Sequence[UUID], job_id: UUID | None = None) -> None:
    """De-identify one patient's notes; those that are done are left alone.

    A name that the model was sure of in one note is then looked for in the patient's others: a relative is
    introduced in one place and merely mentioned in the next.
    """
    with tenant(organisation):
        notes = list(
            Note.objects.filter(pk__in=note_ids, state=NoteState.WITHHELD).select_related("resource")
        )
        payloads: list[dict[str, Any]] = [{"text": note.original, "known": _known(note)} for note in notes]
    if not notes:
        return
    # Of an alias with a canary a patient keeps the version. Both readings are by what is chosen here.
    chosen = adapter_chosen(organisation, str(notes[0].patient_id))
    # No transaction stays open while the worker reads.
    started = time.monotonic()
    answers = _read(organisation, chosen, payloads)
    names = [Known("NAME", name) for name in sorted({name for answer in answers for name in answer["names"]})]
    again = [index for index, answer in enumerate(answers) if survivors(_scrubbed(answer), names)]
    for index in again:
        payloads[index]["known"] += [asdict(name) for name in names]
    # By the same version, and nothing for its shadow to compare: that has seen these texts.
    read_again = _read(organisation, replace(chosen, shadow=""), [payloads[index] for index in again])
    for index, answer in zip(again, read_again, strict=True):
        answers[index] = answer
    latency = (time.monotonic() - started) * 1000 / max(len(notes), 1)
    with tenant(organisation):
        now = _still_withheld(notes)
        read = zip(notes, payloads, answers, strict=True)
        records = [
            note_facts(note, payload, answer, latency)
            for note, payload, answer in read
            if note.pk in now and _keep(now[note.pk], note.original, answer)
        ]
        decisions_record(organisation=organisation, records=records, job_id=job_id)


def adapter_chosen(organisation: UUID, key: str) -> Chosen:
    """The adapter that reads the notes of the patient `key`, where the organisation serves one of its own.

    Raises InvalidInput naming `adapter` when that cannot be served: no other reads in its place.
    """
    return choose_own(organisation=organisation, alias=ALIAS, task="tagging", key=key)


def _read(organisation: UUID, chosen: Chosen, payloads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The worker's answers, asked for in parts that its queue takes."""
    answers: list[dict[str, Any]] = []
    for start in range(0, len(payloads), BATCH):
        part = [payload | {"adapter": asdict(chosen)} for payload in payloads[start : start + BATCH]]
        answers += client.call(LANE, part, organisation=organisation, deadline_s=DEADLINE_S)
    return answers


def _scrubbed(answer: dict[str, Any]) -> Scrubbed:
    return Scrubbed(answer["text"], tuple(Redaction(**redaction) for redaction in answer["redactions"]))


def _waiting(organisation: UUID, bundle_id: UUID) -> dict[UUID, list[UUID]]:
    with tenant(organisation):
        notes = Note.objects.filter(resource__bundle_id=bundle_id, state=NoteState.WITHHELD).order_by("pk")
        waiting: dict[UUID, list[UUID]] = {}
        for pk, patient_id in notes.values_list("pk", "patient_id"):
            waiting.setdefault(patient_id, []).append(pk)
        return waiting


def _still_withheld(notes: Sequence[Note]) -> dict[UUID, Note]:
    """Those of the notes that wait, as they are now, locked."""
    waiting = Note.objects.select_for_update(of=("self",)).filter(state=NoteState.WITHHELD)
    return {note.pk: note for note in waiting.filter(pk__in=[note.pk for note in notes])}


def _keep(note: Note, read: str, answer: dict[str, Any]) -> bool:
    """Only while the original is still the one that was read: a newer version stays withheld."""
    if note.subject.is_destroyed or note.original != read:
        return False
    note.state, note.text, note.redactions = NoteState.READY, answer["text"], answer["redactions"]
    note.model, note.deidentified_at = answer["model"], timezone.now()
    note.save(update_fields=["state", "text", "redactions", "model", "deidentified_at"])
    return True


def _known(note: Note) -> list[dict[str, str]]:
    """What the structured record already says about the people around this note."""
    named = Q(type__in=("Practitioner", "Organization"), bundle_id=note.resource.bundle_id)
    related = Q(type="RelatedPerson", patient_id=note.patient_id)
    others = _contents(Resource.objects.filter(named | related))
    mine = _contents(Resource.objects.filter(type="Patient", patient_id=note.patient_id))
    found = [identifier for patient in mine for identifier in free_text.identifiers(patient, others)]
    return [asdict(identifier) for identifier in dict.fromkeys(found)]


def _contents(rows: QuerySet[Resource]) -> list[Json]:
    return [row.content for row in rows if not is_erased(row.content)]
