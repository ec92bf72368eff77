"""Base models, data sets and the adapters that organisations train."""

from uuid import UUID

from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.files.models import StoredFile
from rootstock.ids import uuid7
from rootstock.jobs.models import Job


class BaseModel(models.Model):
    """A quantized base in Rootstock's format. Shared by all organisations."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80)
    fingerprint = models.CharField(max_length=64, unique=True)
    bytes = models.PositiveBigIntegerField()
    licence = models.CharField(max_length=80, blank=True)
    source = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)


class Dataset(TenantModel):
    """Training examples, stored by the hash of their content."""

    name = models.CharField(max_length=80)
    task = models.CharField(max_length=16)
    sha256 = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    bytes = models.PositiveBigIntegerField()
    # null: uploaded before files were stored as such; the same upload again brings the content.
    file = models.ForeignKey(StoredFile, null=True, on_delete=models.PROTECT, related_name="datasets")
    created_at = models.DateTimeField(auto_now_add=True)
    erased_at = models.DateTimeField(null=True)  # when the erasure of a person it held took the content along

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "sha256"], name="one_dataset_per_content")
        ]

    @property
    def subject_ids(self) -> list[UUID]:
        """The persons it was declared to hold."""
        return [person.subject_id for person in self.persons.all()]


class DatasetPerson(TenantModel):
    """A person whom a data set holds, as declared at its upload. It outlives the content, for the adapters' sake."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="persons")
    subject = models.ForeignKey("privacy.SubjectKey", on_delete=models.RESTRICT, related_name="datasets")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "subject"], name="one_person_once_in_a_dataset")
        ]


class AdapterVersion(TenantModel):
    """One immutable adapter, addressed as `name@digest[:12]`."""

    name = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    base = models.ForeignKey(BaseModel, on_delete=models.PROTECT, related_name="adapters")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="adapters")
    dataset = models.ForeignKey(Dataset, null=True, on_delete=models.SET_NULL, related_name="adapters")
    card = models.JSONField(default=dict)
    bytes = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "digest"], name="one_version_per_digest")
        ]

    @property
    def reference(self) -> str:
        """How the version is addressed everywhere."""
        return f"{self.name}@{self.digest[:12]}"
