"""Payments in the order of their arrival, and the one decision on each."""

from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.privacy.fields import EncryptedTextField, PersonalModel
from rootstock.privacy.models import SubjectKey

ACCOUNT = "fraud.account"  # the kind of people that this vertical holds data of: holders of accounts


class Outcome(models.TextChoices):
    """What a decision says should happen to the payment."""

    APPROVE = "approve"
    REVIEW = "review"
    DECLINE = "decline"


class IngestCounter(TenantModel):
    """The last sequence an organisation has given out.

    Its row stays locked until the payments that took numbers from it are committed, so sequences have no gaps
    and become visible in their own order: whoever sees number n sees everything before n.
    """

    last = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation"], name="one_ingest_counter")]


class Transaction(PersonalModel):
    """A payment as it arrived. The keys are keyed hashes of the accounts, for search and for the model.

    An account's key is part of its subject's blind index; when the subject is erased, a random one takes its place.
    """

    sequence = models.PositiveBigIntegerField()
    external_id = models.CharField(max_length=100)
    payer_subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+", db_index=False)
    payee_subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+", db_index=False)
    payer = EncryptedTextField(subject="payer_subject")
    payee = EncryptedTextField(subject="payee_subject")
    payer_key = models.BigIntegerField()
    payee_key = models.BigIntegerField()
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    currency = models.CharField(max_length=3)
    channel = models.CharField(max_length=16)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "external_id"], name="one_payment_per_external_id"
            ),
            models.UniqueConstraint(fields=["organisation", "sequence"], name="one_payment_per_sequence"),
        ]
        indexes = [
            models.Index(fields=["organisation", "payer_key", "sequence"], name="payments_of_payer"),
            models.Index(fields=["organisation", "payee_key", "sequence"], name="payments_of_payee"),
        ]


class Decision(TenantModel):
    """What was decided on a payment, by which model and why. Written once, never changed."""

    transaction = models.OneToOneField(Transaction, on_delete=models.CASCADE, related_name="decision")
    sequence = models.PositiveBigIntegerField()
    score = models.FloatField()
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    reasons = models.JSONField(default=list)
    contributions = models.JSONField(default=dict)
    model = models.CharField(max_length=80)
    latency_ms = models.FloatField()
    decided_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "outcome", "-sequence"], name="decisions_by_outcome"),
            models.Index(fields=["organisation", "-score"], name="decisions_by_score"),
        ]
