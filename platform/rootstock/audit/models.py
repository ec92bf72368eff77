"""The audit trail: who did what, what models decided, what people did with it, and the roots that seal it.

No personal data: ids, keyed hashes, settings. Rows are written once; the database refuses changes (`append_only`).
"""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from rootstock.accounts.tenancy import TenantModel
from rootstock.privacy.fields import EncryptedTextField, PersonalModel
from rootstock.privacy.models import SubjectKey


class OwnedRow(TenantModel):
    """Its indexes begin with the organisation, so that one on the organisation alone would only cost time."""

    organisation = models.ForeignKey(
        "accounts.Organisation", on_delete=models.PROTECT, db_index=False, related_name="+"
    )

    class Meta:
        abstract = True


class Leaf(OwnedRow):
    """A row that roots seal: `digest` is the SHA-256 of the canonical JSON of the columns in HASHED."""

    LEAF: ClassVar[str]
    HASHED: ClassVar[tuple[str, ...]]

    digest = models.BinaryField(max_length=32)

    class Meta:
        abstract = True


class AuditEntry(Leaf):
    """One thing that was done."""

    LEAF = "entry"
    HASHED = (
        "id", "organisation_id", "actor_kind", "actor_id", "action", "object_type", "object_id", "data",
        "request_id", "at",
    )  # fmt: skip

    actor_kind = models.CharField(max_length=8)
    actor_id = models.CharField(max_length=40)
    action = models.CharField(max_length=64)  # "api_key.created", "patient.read"
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=80, blank=True)
    data = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "audit entries"
        # Ids are ordered by time, so a range of time is a range of ids, within any of these.
        indexes = [
            models.Index(fields=["organisation", "-id"], name="audit_page"),
            models.Index(fields=["organisation", "actor_id", "-id"], name="audit_by_actor"),
            models.Index(fields=["organisation", "action", "-id"], name="audit_by_action"),
            models.Index(fields=["organisation", "object_id", "-id"], name="audit_by_object_id"),
            models.Index(fields=["organisation", "object_type", "-id"], name="audit_by_object_type"),
            models.Index(fields=["organisation", "request_id", "-id"], name="audit_by_request"),
        ]


class DecisionRecord(Leaf):
    """What a model or a rule decided on one thing, with which versions. Inputs and texts only as keyed hashes."""

    LEAF = "decision"
    HASHED = (
        "id", "organisation_id", "kind", "subject_type", "subject_id", "input_hash", "model", "model_digest",
        "adapter", "adapter_digest", "base", "output", "latency_ms", "decided_at", "job_id", "request_id",
    )  # fmt: skip

    kind = models.CharField(max_length=40)  # "fraud.score": vertical, then what was decided
    subject_type = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=80)
    input_hash = models.BinaryField(max_length=32)
    model = models.CharField(max_length=120)
    model_digest = models.CharField(max_length=64, blank=True)
    adapter = models.CharField(max_length=160, blank=True)
    adapter_digest = models.CharField(max_length=64, blank=True)
    base = models.CharField(max_length=80, blank=True)
    output = models.JSONField(default=dict)
    latency_ms = models.FloatField()
    decided_at = models.DateTimeField(default=timezone.now)
    job_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "kind", "-id"], name="decision_by_kind"),
            models.Index(fields=["organisation", "subject_id", "-id"], name="decision_by_subject"),
            models.Index(fields=["organisation", "-id"], name="decision_page"),
        ]

    @property
    def vertical(self) -> str:
        """The part of Rootstock that decided: the scope's first word."""
        return self.kind.partition(".")[0]


class ActionKind(models.TextChoices):
    """What a person can say to a decision."""

    CONFIRMED = "confirmed"
    OVERRIDDEN = "overridden"
    RELEASED = "released"


class HumanAction(Leaf):
    """What a person did with a decision. Of the reason the chain holds a keyed hash; its words lie beside it."""

    LEAF = "action"
    HASHED = (
        "id", "organisation_id", "decision_id", "action", "actor_kind", "actor_id", "reason_hash", "at",
        "request_id",
    )  # fmt: skip

    # No constraint in the database: retention may take a decision whose action is younger.
    decision = models.ForeignKey(
        DecisionRecord, on_delete=models.DO_NOTHING, db_constraint=False, related_name="actions"
    )
    action = models.CharField(max_length=16, choices=ActionKind.choices)
    actor_kind = models.CharField(max_length=8)
    actor_id = models.CharField(max_length=40)
    reason_hash = models.BinaryField(max_length=32)
    at = models.DateTimeField(default=timezone.now)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "-id"], name="human_action_page")]


class ActionReason(PersonalModel):
    """The words of a reason. They may tell of the person concerned: under that person's key, and not in the chain."""

    action = models.OneToOneField(
        HumanAction, on_delete=models.DO_NOTHING, db_constraint=False, related_name="reason"
    )
    subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+", db_index=False)
    text = EncryptedTextField()


class PendingLeaf(OwnedRow):
    """A row that no root has sealed yet; its id is the row's. A trigger writes it in the row's own transaction."""

    leaf = models.CharField(max_length=8)
    digest = models.BinaryField(max_length=32)

    class Meta:
        indexes = [models.Index(fields=["organisation", "id"], name="audit_pending")]


class AuditRoot(OwnedRow):
    """A seal over a batch of rows and over the root before it.

    `leaves` lists the batch, ordered: 49 bytes each, kind, id and digest. So the one that was changed, deleted or
    put in later can be named, and no row of the trail has to be updated to be sealed.
    """

    sequence = models.PositiveBigIntegerField()
    count = models.PositiveIntegerField()
    total = models.PositiveBigIntegerField(
        null=True
    )  # of the chain up to here, not hashed; null in the first ones
    leaves = models.BinaryField()
    merkle = models.BinaryField(max_length=32)
    previous = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "sequence"], name="one_root_per_sequence")
        ]
        indexes = [models.Index(fields=["organisation", "at"], name="audit_roots_by_time")]


class WitnessState(OwnedRow):
    """How far the witness outside has been told. `due_at` is null while it knows every root."""

    told = models.PositiveBigIntegerField(default=0)  # the sequence of the last root that it was told of
    told_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)  # also a lease: who tells it sets it ahead
    failures = models.PositiveIntegerField(default=0)  # since it last listened
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation"], name="one_witness_state")]
