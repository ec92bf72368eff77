"""Patients and what is known about them.

Names, identifiers and free text of persons are plain columns for now; they are kept together in
`Patient.header`, `PatientIdentifier.value`, `Resource.content`, `Note.original` and `ImportedBundle.content`,
so that encryption with a key per subject has five places to go.
"""

from django.db import models

from rootstock.accounts.tenancy import TenantModel


class ImportState(models.TextChoices):
    """How far a Bundle has come. `stored` means that everything but the notes can be read."""

    RECEIVED = "received"
    STORED = "stored"
    COMPLETE = "complete"


class ImportedBundle(TenantModel):
    """A Bundle that was accepted. Its digest makes sending it again harmless."""

    digest = models.CharField(max_length=64)
    identifier = models.CharField(max_length=420, blank=True)
    type = models.CharField(max_length=20)
    state = models.CharField(max_length=16, choices=ImportState.choices, default=ImportState.RECEIVED)
    content = models.JSONField(null=True)  # until it is stored as resources
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


class Patient(TenantModel):
    """A person in care. The `news2_*` columns repeat the newest score, for the ward list's order."""

    header = models.JSONField(default=dict)  # family, given, phone, address lines: what names the person
    birth_date = models.DateField(null=True)
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
        family, given = self.header.get("family", ""), " ".join(self.header.get("given", []))
        return ", ".join(part for part in (family, given) if part) or "No name recorded"


class PatientIdentifier(TenantModel):
    """A number that a system knows the person by. Equal (system, value) means the same person."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="identifiers")
    system = models.CharField(max_length=200)
    value = models.CharField(max_length=200)
    type = models.CharField(max_length=20, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "system", "value"], name="ehr_one_owner_of_identifier"
            )
        ]
        indexes = [models.Index(fields=["organisation", "value"])]


class Resource(TenantModel):
    """A FHIR resource as it was received; one that comes again under its key replaces it.

    Keys are compared within one patient: two senders may both have an `Observation/1`.
    """

    patient = models.ForeignKey(Patient, null=True, on_delete=models.CASCADE, related_name="resources")
    bundle = models.ForeignKey(ImportedBundle, on_delete=models.PROTECT, related_name="resources")
    type = models.CharField(max_length=64)
    key = models.CharField(max_length=300)
    content = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "patient", "type", "key"],
                nulls_distinct=False,
                name="ehr_one_resource_per_key",
            )
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


class Event(TenantModel):
    """One event on a person's timeline (MEDS: subject, time, code, value). No free text in here."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="events")
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=16, choices=EventKind.choices)
    time = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    code = models.CharField(max_length=200)
    display = models.CharField(max_length=300)
    number = models.FloatField(null=True)
    unit = models.CharField(max_length=60, blank=True)
    text = models.CharField(max_length=400, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["patient", "-time", "-id"]),
            models.Index(fields=["patient", "code", "time"]),
        ]


class NoteState(models.TextChoices):
    """A note is shown without identifiers or not at all."""

    WITHHELD = "withheld"
    READY = "ready"


class Note(TenantModel):
    """A free text. `text` holds it without identifiers once that has been done; until then it is empty."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="notes")
    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="notes")
    part = models.CharField(max_length=64)
    title = models.CharField(max_length=300)
    time = models.DateTimeField(null=True)
    state = models.CharField(max_length=16, choices=NoteState.choices, default=NoteState.WITHHELD)
    original = models.TextField()
    text = models.TextField(blank=True)
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
