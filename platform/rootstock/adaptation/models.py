"""What was asked for in OpenAI's words; the training itself is a job. Plans of continual adaptation."""

from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.adaptation.continual.models import ContinualMeasure, ContinualPlan, ContinualRun
from rootstock.jobs.models import Job

__all__ = ["ContinualMeasure", "ContinualPlan", "ContinualRun", "FineTuning"]


class FineTuning(TenantModel):
    """A training that was asked for at /v1/fine_tuning/jobs: its files, and the words of the request."""

    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="fine_tuning")
    training_file = models.UUIDField()
    validation_file = models.UUIDField(null=True)
    asked = models.JSONField(default=dict)  # model, method, metadata, as they came
