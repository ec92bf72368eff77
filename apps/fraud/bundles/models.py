"""Versions of an organisation's model, which of them scores, and who agreed to it."""

from django.db import models

from apps.fraud.four_eyes.models import InForce, Request
from rootstock.accounts.tenancy import TenantModel
from rootstock.jobs.models import Job


class ModelVersion(TenantModel):
    """A bundle that was trained on the organisation's payments, under its next number. Written once, never changed.

    `card` is the bundle's card.json; `files` are the names of its files in storage.
    """

    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    card = models.JSONField()
    files = models.JSONField()
    bytes = models.PositiveBigIntegerField()
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    made_by = models.CharField(max_length=60)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "number"], name="one_model_per_number"),
            models.UniqueConstraint(fields=["organisation", "digest"], name="one_model_per_digest"),
        ]

    @property
    def reference(self) -> str:
        """As decisions name it: `fraud@` and twelve digits of the digest."""
        return f"fraud@{self.digest[:12]}"


class ModelInForce(InForce):
    """Which version scores, none for the shipped model. `generation` counts the moves."""

    current = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation"], name="one_model_in_force")]


class ModelRequest(Request):
    """Somebody asked that a version scores; somebody else decides."""

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="requests")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation"], condition=models.Q(state="open"), name="one_open_model_request"
            )
        ]


class ModelMove(TenantModel):
    """One change of the model that scores; none is the shipped one."""

    class Kind(models.TextChoices):
        """What happened."""

        SERVE = "serve", "Began to score"
        ROLL_BACK = "roll_back", "Rolled back"

    generation = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    before = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    after = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    request = models.ForeignKey(ModelRequest, null=True, on_delete=models.SET_NULL, related_name="+")
    moved_by = models.CharField(max_length=60)
    reason = models.CharField(max_length=300)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "generation"], name="one_model_move_a_generation")
        ]
