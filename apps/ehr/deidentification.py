"""Notes go to the worker that reads them for identifiers, and come back without.

Fail closed: a note keeps the state `withheld` until the worker has answered for it. Nothing here falls back
to weaker means when the model is away; the job is tried again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from apps.ehr.fhir import notes as free_text
from apps.ehr.models import ImportedBundle, Note, NoteState, Resource
from rootstock.accounts.tenancy import tenant
from rootstock.jobs.running import JobHandle
from rootstock.lanes import client

LANE = "ehr.deidentify"
BATCH = 8
DEADLINE_S = 120.0


def run(job: JobHandle, bundle: ImportedBundle) -> None:
    """De-identify what the Bundle brought. Raises the lane's Unavailable, Busy or DeadlineExceeded."""
    organisation = bundle.organisation_id
    waiting = _waiting(organisation, bundle.pk)
    done = 0
    job.progress(done, len(waiting), "Removing identifiers from notes", force=True)
    for batch in _batches(waiting):
        notes_deidentify(organisation, batch)
        done += len(batch)
        job.progress(done, len(waiting), "Removing identifiers from notes", force=True)


def notes_deidentify(organisation: UUID, note_ids: Sequence[UUID]) -> None:
    """De-identify these notes; those that are done are left alone."""
    with tenant(organisation):
        notes = list(
            Note.objects.filter(pk__in=note_ids, state=NoteState.WITHHELD).select_related("resource")
        )
        payloads = [{"text": note.original, "known": _known(note)} for note in notes]
    # No transaction stays open while the worker reads.
    answers = client.call(LANE, payloads, organisation=organisation, deadline_s=DEADLINE_S)
    with tenant(organisation):
        for note, answer in zip(notes, answers, strict=True):
            _keep(note, answer)


def _waiting(organisation: UUID, bundle_id: UUID) -> list[UUID]:
    with tenant(organisation):
        notes = Note.objects.filter(resource__bundle_id=bundle_id, state=NoteState.WITHHELD)
        return list(notes.order_by("id").values_list("pk", flat=True))


def _keep(note: Note, answer: dict[str, Any]) -> None:
    """Only while the original is still the one that was read: a newer version stays withheld."""
    Note.objects.filter(pk=note.pk, state=NoteState.WITHHELD, original=note.original).update(
        state=NoteState.READY,
        text=answer["text"],
        redactions=answer["redactions"],
        model=answer["model"],
        deidentified_at=timezone.now(),
    )


def _known(note: Note) -> list[dict[str, str]]:
    """What the structured record already says about the people around this note."""
    named = Q(type__in=("Practitioner", "Organization"), bundle_id=note.resource.bundle_id)
    related = Q(type="RelatedPerson", patient_id=note.patient_id)
    others = list(Resource.objects.filter(named | related).values_list("content", flat=True))
    mine = Resource.objects.filter(type="Patient", patient_id=note.patient_id).values_list(
        "content", flat=True
    )
    found = [identifier for patient in mine for identifier in free_text.identifiers(patient, others)]
    return [asdict(identifier) for identifier in dict.fromkeys(found)]


def _batches(ids: list[UUID]) -> Iterator[list[UUID]]:
    remaining = iter(ids)
    while batch := list(islice(remaining, BATCH)):
        yield batch
