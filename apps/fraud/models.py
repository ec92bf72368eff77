"""Payments and labels in the order of their arrival, and the one decision on each payment."""

from django.db import models

from apps.fraud.bundles.models import ModelInForce as ModelInForce
from apps.fraud.bundles.models import ModelMove as ModelMove
from apps.fraud.bundles.models import ModelRequest as ModelRequest
from apps.fraud.bundles.models import ModelVersion as ModelVersion
from apps.fraud.cycles.models import CyclePayment as CyclePayment
from apps.fraud.cycles.models import PaymentCycle as PaymentCycle
from apps.fraud.cycles.models import PaymentRing as PaymentRing
from apps.fraud.rules.models import ListEntry as ListEntry
from apps.fraud.rules.models import RulesInForce as RulesInForce
from apps.fraud.rules.models import RulesMove as RulesMove
from apps.fraud.rules.models import RulesRequest as RulesRequest
from apps.fraud.rules.models import RulesVersion as RulesVersion
from rootstock.accounts.tenancy import TenantModel
from rootstock.privacy.fields import (
    EncryptedJSONField,
    EncryptedOptionalTextField,
    EncryptedTextField,
    PersonalModel,
)
from rootstock.privacy.models import SubjectKey

# The kinds of people that this vertical holds data of: holders of accounts; and those of a file until it is stored.
ACCOUNT, BACKFILL = "fraud.account", "fraud.backfill"


class Outcome(models.TextChoices):
    """What a decision says should happen to the payment."""

    APPROVE = "approve"
    REVIEW = "review"
    DECLINE = "decline"


class IngestCounter(TenantModel):
    """The last sequence an organisation has given out, and the latest clock among its payments.

    Its row stays locked until the payments and labels that took numbers from it are committed, so sequences have
    no gaps and become visible in their own order: whoever sees number n sees everything before n.
    """

    last = models.PositiveBigIntegerField(default=0)
    latest_at = models.DateTimeField(
        null=True
    )  # never ahead of the arrival: one wrong clock makes nobody late

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation"], name="one_ingest_counter")]


class Transaction(PersonalModel):
    """A payment as it arrived. The keys are keyed hashes of the accounts, for search and for the model.

    An account's key is part of its subject's blind index; when the subject is erased, a random one takes its place.
    A device is the payer's and a merchant the payee's: sealed with their keys, and gone with them. Key 0 is none.
    """

    sequence = models.PositiveBigIntegerField()
    external_id = models.CharField(max_length=100)
    payer_subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+", db_index=False)
    payee_subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+", db_index=False)
    payer = EncryptedTextField(subject="payer_subject")
    payee = EncryptedTextField(subject="payee_subject")
    device = EncryptedOptionalTextField(subject="payer_subject", null=True)
    merchant = EncryptedOptionalTextField(subject="payee_subject", null=True)
    payer_key = models.BigIntegerField()
    payee_key = models.BigIntegerField()
    device_key = models.BigIntegerField(default=0)
    merchant_key = models.BigIntegerField(default=0)
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    currency = models.CharField(max_length=3)
    channel = models.CharField(max_length=16)
    occurred_at = models.DateTimeField()
    late_by_s = models.FloatField(null=True)  # behind the latest payment that had arrived; null: in order
    received_at = models.DateTimeField()

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
            models.Index(
                fields=["organisation", "device_key", "sequence"],
                name="payments_of_device",
                condition=~models.Q(device_key=0),
            ),
            models.Index(
                fields=["organisation", "merchant_key", "sequence"],
                name="payments_of_merchant",
                condition=~models.Q(merchant_key=0),
            ),
        ]

    @property
    def label(self) -> "Label | None":
        """The newest label, which supersedes those before it. Fetch `labels` with the payment."""
        return next(iter(self.labels.all()), None)


class Label(PersonalModel):
    """What became known of a payment: it was fraud, or it was genuine. Written once, superseded by a later one.

    `subject` is the payer's: should a note name somebody after all, it goes when the payer is erased.
    """

    sequence = models.PositiveBigIntegerField()
    transaction = models.ForeignKey(Transaction, on_delete=models.CASCADE, related_name="labels")
    subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+", db_index=False)
    fraud = models.BooleanField()
    source = models.CharField(max_length=40)
    known_at = models.DateTimeField(null=True)  # where it differs from the arrival
    note = EncryptedOptionalTextField(null=True)
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-sequence"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "sequence"], name="one_label_per_sequence")
        ]

    @property
    def external_id(self) -> str:
        """The payment's. Fetch it with the label."""
        return self.transaction.external_id


class Decision(TenantModel):
    """What was decided on a payment, by which model and why. Written once, never changed."""

    transaction = models.OneToOneField(Transaction, on_delete=models.CASCADE, related_name="decision")
    sequence = models.PositiveBigIntegerField()
    score = models.FloatField()
    probability = models.FloatField()  # the model's alone; the score counts rules as well
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    by = models.JSONField(default=list)  # whose the outcome is: list, rules, model
    reasons = models.JSONField(default=list)
    contributions = models.JSONField(default=dict)
    surprise = models.FloatField()  # the amount over the payer's median before it, as a float32 holds it
    model = models.CharField(max_length=80)
    model_digest = models.CharField(max_length=64)
    rules = models.CharField(max_length=80, blank=True)  # versions of rules and lists, empty for none
    rule_score = models.FloatField(default=0.0)
    shadow = models.JSONField(null=True)  # what rules in the shadow would have said
    latency_ms = models.FloatField()  # of all that were decided together
    batch_size = models.PositiveIntegerField(
        null=True
    )  # how many those were; null: it was not written down yet
    decided_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "outcome", "-sequence"], name="decisions_by_outcome"),
            models.Index(fields=["organisation", "-score"], name="decisions_by_score"),
            models.Index(
                fields=["organisation", "sequence"],
                name="decisions_with_shadow",
                condition=models.Q(shadow__isnull=False),
            ),
        ]


class BackfillPart(PersonalModel):
    """Some rows of a file of historic payments, sealed until the job has stored them.

    The key is the file's own, destroyed when its job ends. `ranges` are the numbers that the payments took.
    """

    job_id = models.UUIDField()
    place = models.PositiveIntegerField()
    subject = models.ForeignKey(SubjectKey, on_delete=models.RESTRICT, related_name="+", db_index=False)
    rows = EncryptedJSONField(null=True)  # [where, {field: value}] each
    size = models.PositiveIntegerField()
    ranges = models.JSONField(default=list)
    stored = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0)
    labelled = models.PositiveIntegerField(default=0)
    rejected = models.JSONField(default=list)  # [where, field, reason] each

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "job_id", "place"], name="one_part_per_place")
        ]
