"""Bases that organisations trained: what they were made from, how, and how well they do."""

from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.jobs.models import Job
from rootstock.registry.models.adapters import BaseModel
from rootstock.registry.models.datasets import Dataset


class Recipe(models.TextChoices):
    """How a base was trained."""

    FULL = "full", "Trained whole"
    DISTIL = "distil", "Distilled into fewer layers"


class TrainedBase(TenantModel):
    """The lineage of a base that the organisation trained. An operator serves it by its reference.

    `data` are name, hash and examples of each set by its part in the training, which stay said when the sets go.
    `files` are the SHA-256 of each file in storage by its name, those it was quantized from under "unquantized/".
    """

    base = models.ForeignKey(BaseModel, on_delete=models.PROTECT, related_name="trainings")
    parent = models.ForeignKey(BaseModel, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=64)
    recipe = models.CharField(max_length=6, choices=Recipe.choices)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="bases")
    dataset = models.ForeignKey(Dataset, null=True, on_delete=models.SET_NULL, related_name="bases")
    data = models.JSONField(default=dict)
    settings = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict)
    files = models.JSONField(default=dict)
    bytes = models.PositiveBigIntegerField(default=0)  # of all files
    created_by = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "base"], name="one_lineage_per_base"),
        ]

    @property
    def reference(self) -> str:
        """How an operator names it, and what its folder is called."""
        return f"{self.name}@{self.base.fingerprint[:12]}"
