"""Data sets, and the persons whom they hold."""

from uuid import UUID

from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.files.models import StoredFile
from rootstock.jobs.models import Job


class Dataset(TenantModel):
    """Training examples, stored by the hash of their content in its one form."""

    name = models.CharField(max_length=80)
    task = models.CharField(max_length=16)
    sha256 = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    bytes = models.PositiveBigIntegerField()
    is_test = models.BooleanField(default=False)  # a frozen test set: never trained on
    # what it was before some of its examples were dropped
    parent = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="children")
    # null: uploaded before files were stored as such; the same upload again brings the content.
    file = models.ForeignKey(StoredFile, null=True, on_delete=models.PROTECT, related_name="datasets")
    created_at = models.DateTimeField(auto_now_add=True)
    erased_at = models.DateTimeField(null=True)  # when the erasure of a person it held took the content along
    report = models.JSONField(default=dict)  # a datasets.report.Report; empty: none was made yet
    reported_at = models.DateTimeField(null=True)
    report_job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    names = models.JSONField(default=dict)  # a datasets.report.Names; empty: nobody looked for names yet
    names_job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "sha256"], name="one_dataset_per_content")
        ]

    @property
    def subject_ids(self) -> list[UUID]:
        """The persons it was declared to hold."""
        return [person.subject_id for person in self.persons.all()]


class DatasetPart(TenantModel):
    """A data set was gathered from others: who is in a part may be in the whole."""

    whole = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="parts")
    part = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="wholes")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["whole", "part"], name="one_part_once_in_a_dataset")]


class DatasetPerson(TenantModel):
    """A person whom a data set holds, as declared at its upload. It outlives the content, for the adapters' sake."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="persons")
    subject = models.ForeignKey("privacy.SubjectKey", on_delete=models.RESTRICT, related_name="datasets")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "subject"], name="one_person_once_in_a_dataset")
        ]
