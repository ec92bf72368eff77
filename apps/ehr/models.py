"""Patients and what is known about them.

Names, dates of birth, identifiers and free text are encrypted under the patient's key, and so is whatever a sender
may have written in words: titles, displays, answers. Codes, numbers and times stay plain, to be selected by.
A resource of nobody in care (a practitioner, a ward) is a subject of its own; so is a Bundle until it is stored.
"""

from datetime import date

from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.privacy.fields import EncryptedJSONField, EncryptedTextField, PersonalModel, is_erased
from rootstock.privacy.models import SubjectKey

# The kinds of people that this vertical holds data of.
PATIENT, OTHER, BUNDLE = "ehr.patient", "ehr.resource", "ehr.bundle"


class ImportState(models.TextChoices):
    """How far a Bundle has come. `stored` means that everything but the notes can be read."""

    RECEIVED = "received"
    STORED = "stored"
    COMPLETE = "complete"


class ImportedBundle(PersonalModel):
    """A Bundle that was accepted. Its digest makes sending it again harmless."""

    digest = models.CharField(max_length=64)
    identifier = models.CharField(max_length=420, blank=True)
    type = models.CharField(max_length=20)
    state = models.CharField(max_length=16, choices=ImportState.choices, default=ImportState.RECEIVED)
    subject = models.ForeignKey(
        SubjectKey, null=True, on_delete=models.RESTRICT, related_name="+", db_index=False
    )  # destroyed when the content is stored as resources
    content = EncryptedJSONField(null=True)
    report = models.JSONField(default=dict)
    job_id = models.UUIDField(null=True)
    received_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "digest"], name="ehr_one_bundle_per_digest"),
            models.UniqueConstraint(
                fields=["organisation", "identifier"],
                condition=~models.Q(identifier=""),
                name="ehr_one_bundle_per_identifier",
            ),
        ]


class Patient(PersonalModel):
    """A person in care. The `news2_*` columns repeat the newest score, for the ward list's order."""

    subject = models.OneToOneField(SubjectKey, on_delete=models.RESTRICT, related_name="+")
    header = EncryptedJSONField()  # family, given, phone, birth_date: what names the person
    sex = models.CharField(max_length=16, blank=True)
    died_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    news2_rank = models.IntegerField(default=-1)  # band, then points: what the list sorts by
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "-news2_rank", "-id"])]

    @property
    def name(self) -> str:
        """The name as a list shows it: family name first."""
        if is_erased(self.header):
            return "erased"
        family, given = self.header.get("family", ""), " ".join(self.header.get("given", []))
        return ", ".join(part for part in (family, given) if part) or "No name recorded"

    @property
    def birth_date(self) -> date | None:
        """The date of birth, if it is known."""
        found = self.header.get("birth_date")
        return date.fromisoformat(found) if found else None


class PatientIdentifier(PersonalModel):
    """A number that a system knows the person by. Equal (system, value) means the same person."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="identifiers")
    subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+", db_index=False)
    system = models.CharField(max_length=200)
    value = EncryptedTextField()
    value_index = models.BinaryField(max_length=32)
    type = models.CharField(max_length=20, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "system", "value_index"], name="ehr_one_owner_of_identifier"
            )
        ]
        indexes = [models.Index(fields=["organisation", "value_index"], name="ehr_identifier")]


class Resource(PersonalModel):
    """A FHIR resource as it was received; one that comes again under its key replaces it.

    Keys are compared within one patient: two senders may both have an `Observation/1`.
    """

    patient = models.ForeignKey(Patient, null=True, on_delete=models.CASCADE, related_name="resources")
    subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+", db_index=False)
    bundle = models.ForeignKey(ImportedBundle, on_delete=models.PROTECT, related_name="resources")
    type = models.CharField(max_length=64)
    key = models.CharField(max_length=300)
    content = EncryptedJSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "patient", "type", "key"],
                nulls_distinct=False,
                name="ehr_one_resource_per_key",
            )
        ]
        indexes = [
            models.Index(fields=["subject"], condition=models.Q(patient=None), name="ehr_resource_of_other")
        ]


class EventKind(models.TextChoices):
    """Groups of events for people to filter by."""

    VITAL = "vital"
    LABORATORY = "laboratory"
    OBSERVATION = "observation"
    CONDITION = "condition"
    MEDICATION = "medication"
    PROCEDURE = "procedure"
    ENCOUNTER = "encounter"
    IMMUNIZATION = "immunization"
    ALLERGY = "allergy"
    REPORT = "report"
    NOTE = "note"
    FLAG = "flag"
    PERSON = "person"


class Event(PersonalModel):
    """One event on a person's timeline (MEDS: subject, time, code, value).

    Words are encrypted: a sender may have written anything into them. `code` holds a coded concept, or `TEXT//` and
    a digest of an uncoded one; `status` one of a few known words, for selection. Of a birth `time` tells the year.
    """

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="events")
    subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+", db_index=False)
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=16, choices=EventKind.choices)
    time = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    code = models.CharField(max_length=200)
    display = EncryptedTextField()
    number = models.FloatField(null=True)
    unit = models.CharField(max_length=60, blank=True)
    status = models.CharField(max_length=24, blank=True)
    text = EncryptedTextField()

    class Meta:
        indexes = [
            models.Index(fields=["patient", "-time", "-id"]),
            models.Index(fields=["patient", "code", "time"]),
        ]


class NoteState(models.TextChoices):
    """A note is shown without identifiers or not at all."""

    WITHHELD = "withheld"
    READY = "ready"


class Note(PersonalModel):
    """A free text. `text` holds it without identifiers once that has been done; until then it is empty."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="notes")
    subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+", db_index=False)
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="notes")
    part = models.CharField(max_length=64)
    title = EncryptedTextField()
    time = models.DateTimeField(null=True)
    state = models.CharField(max_length=16, choices=NoteState.choices, default=NoteState.WITHHELD)
    original = EncryptedTextField()
    text = EncryptedTextField()
    redactions = models.JSONField(default=list)  # [{start, end, label, sources}] in `text`
    model = models.CharField(max_length=120, blank=True)  # the adapter that read it, name@digest
    deidentified_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["resource", "part"], name="ehr_one_note_per_part")]
        indexes = [models.Index(fields=["patient", "-time", "-id"])]


class RiskScore(TenantModel):
    """A score of one round of observations, with everything that went into it."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="risk_scores")
    model = models.CharField(max_length=40)
    at = models.DateTimeField()
    total = models.IntegerField()
    highest_possible = models.IntegerField()
    band = models.CharField(max_length=16)
    complete = models.BooleanField()
    points = models.JSONField()
    inputs = models.JSONField()
    missing = models.JSONField()
    refused = models.JSONField()
    not_applicable = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["patient", "model", "at"], name="ehr_one_score_per_round")
        ]
