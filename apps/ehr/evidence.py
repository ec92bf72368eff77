"""What the audit trail keeps of de-identified notes and of scores."""

from collections import Counter
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.ehr.models import Note, Patient, RiskScore
from models_zoo.clinical import news2
from rootstock.audit.decisions import DecisionFacts
from rootstock.privacy.models import SubjectKey

NOTE, PATIENT = "note", "patient"


def person_of_note(note_id: str) -> SubjectKey | None:
    """The patient whom a note is about."""
    note = Note.objects.select_related("patient__subject").filter(pk=note_id).first()
    return note.patient.subject if note else None


def person_of_patient(patient_id: str) -> SubjectKey | None:
    """The patient."""
    patient = Patient.objects.select_related("subject").filter(pk=patient_id).first()
    return patient.subject if patient else None


def note_facts(
    note: Note, given: Mapping[str, Any], answer: Mapping[str, Any], latency_ms: float
) -> DecisionFacts:
    """That a note's identifiers were found and removed: how many of each kind, by which adapter."""
    return DecisionFacts(
        kind="ehr.deidentify",
        subject_type=NOTE,
        subject_id=note.pk,
        input=given,
        model=settings.BASE_MODEL,
        model_digest=answer.get("base", ""),
        adapter=answer["model"],
        adapter_digest=answer["adapter_digest"],
        base=answer.get("base", ""),
        latency_ms=latency_ms,
        output={"removed": Counter(redaction["label"] for redaction in answer["redactions"])},
        text=answer["text"],
    )


def score_facts(row: RiskScore, latency_ms: float) -> DecisionFacts:
    """A score of one round of observations. The rule's digest is that of its source."""
    return DecisionFacts(
        kind="ehr.news2",
        subject_type=PATIENT,
        subject_id=row.patient_id,
        input=row.inputs,
        model=row.model,
        model_digest=_rule_digest(),
        latency_ms=latency_ms,
        output={
            "round": row.at,
            "total": row.total,
            "band": row.band,
            "complete": row.complete,
            "applicable": not row.not_applicable,
        },
    )


@cache
def _rule_digest() -> str:
    return sha256(Path(news2.__file__).read_bytes()).hexdigest()
