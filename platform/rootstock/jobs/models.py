"""Jobs: the public truth about background work. Celery's own state is an implementation detail."""

from django.db import models

from rootstock.accounts.models import User
from rootstock.accounts.tenancy import TenantModel


class JobState(models.TextChoices):
    """The states of a job; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL_STATES = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Job(TenantModel):
    """One piece of background work. `params` hold ids and settings, never personal data.

    A worker owns a running job while its lease lasts; `fence` counts the owners, and every write of an owner names
    its fence, so that one that lost the lease can change nothing any more.
    """

    kind = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=JobState.choices, default=JobState.QUEUED)
    params = models.JSONField(default=dict)
    result = models.JSONField(null=True)
    error = models.JSONField(null=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(null=True)
    message = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    dispatched_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "-id"]),
            models.Index(
                fields=["state", "lease_until"], condition=models.Q(state="running"), name="job_leases"
            ),
            models.Index(fields=["dispatched_at"], condition=models.Q(state="queued"), name="job_queue"),
        ]

    @property
    def is_final(self) -> bool:
        """Nothing will change any more."""
        return self.state in FINAL_STATES


class JobEvent(TenantModel):
    """Something a job reported: a training step, an evaluation."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    type = models.CharField(max_length=32)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["job", "id"])]
