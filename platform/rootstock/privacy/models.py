"""Requests about persons' data, legal holds, retention rules, certificates; and the keys."""

from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.privacy.fields import EncryptedTextField, PersonalModel
from rootstock.privacy.keys import IndexKey, SubjectKey

__all__ = [
    "ErasureCertificate",
    "IndexKey",
    "LegalHold",
    "PrivacyRequest",
    "PrivacySettings",
    "RetentionRule",
    "SubjectKey",
]


class PrivacySettings(TenantModel):
    """How an organisation handles requests."""

    four_eyes = models.BooleanField(default=True)  # an erasure is confirmed by a second person
    archive_days = models.PositiveIntegerField(default=7)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation"], name="privacy_one_settings")]


class LegalHold(PersonalModel):
    """While it lasts, nothing of the person is deleted: neither by retention nor on request."""

    subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="holds")
    reason = EncryptedTextField()
    placed_by = models.CharField(max_length=60)
    placed_at = models.DateTimeField(auto_now_add=True)
    released_by = models.CharField(max_length=60, blank=True)
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject"], condition=models.Q(released_at=None), name="privacy_one_hold_at_a_time"
            )
        ]


class RetentionRule(TenantModel):
    """How long a kind of data is kept. Without a rule it is kept for good."""

    kind = models.CharField(max_length=40)
    days = models.PositiveIntegerField()
    changed_by = models.CharField(max_length=60)
    changed_at = models.DateTimeField(auto_now=True)
    enforced_at = models.DateTimeField(null=True)
    deleted = models.PositiveBigIntegerField(default=0)  # since the rule was made

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "kind"], name="privacy_one_rule_per_kind")
        ]


class Action(models.TextChoices):
    """What is asked for."""

    EXPORT = "export"
    ERASE = "erase"


class Ground(models.TextChoices):
    """Why. A closed list, so that the certificate can say it without naming anybody."""

    PERSON_ASKED = "person_asked", "The person asked for it"
    CONSENT_WITHDRAWN = "consent_withdrawn", "Consent was withdrawn"
    NO_LONGER_NEEDED = "no_longer_needed", "The data is no longer needed"
    UNLAWFUL = "unlawful", "The data should not have been held"
    AUTHORITY = "authority", "An authority or a court ordered it"


class RequestState(models.TextChoices):
    """How far a request has come."""

    WAITING = "waiting", "Waits for a second person"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"


class PrivacyRequest(PersonalModel):
    """An export or an erasure of one person's data. Its archive is under the person's key, and goes with it."""

    subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="requests")
    action = models.CharField(max_length=8, choices=Action.choices)
    ground = models.CharField(max_length=20, choices=Ground.choices)
    note = EncryptedTextField()
    state = models.CharField(max_length=8, choices=RequestState.choices)
    requested_by = models.CharField(max_length=60)
    person = models.CharField(max_length=60, blank=True)  # who stood behind `requested_by` when it was made
    four_eyes = models.BooleanField(default=True)  # made under that rule, and decided under it
    decided_by = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    job_id = models.UUIDField(null=True)
    archive_key = models.CharField(max_length=160, blank=True)  # where it lies in storage, while it does
    archive_bytes = models.PositiveBigIntegerField(null=True)
    archive_sha256 = models.CharField(max_length=64, blank=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "-id"], name="privacy_request_page"),
            models.Index(fields=["expires_at"], condition=~models.Q(archive_key=""), name="privacy_archives"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "action"],
                condition=models.Q(state__in=("waiting", "running")),
                name="privacy_one_open_request",
            )
        ]


class ErasureCertificate(TenantModel):
    """What was destroyed, signed. It holds no personal data."""

    request = models.OneToOneField(PrivacyRequest, on_delete=models.RESTRICT, related_name="certificate")
    document = models.JSONField()
    signature = models.CharField(max_length=100)
    public_key = models.CharField(max_length=60)
    issued_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "-id"], name="privacy_certificate_page")]
