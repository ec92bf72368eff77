"""Jobs: the public truth about background work. Celery's own state is an implementation detail."""

from django.db import models
from django.utils import timezone as clock

from rootstock.accounts.models import User
from rootstock.accounts.tenancy import TenantModel


class JobState(models.TextChoices):
    """The states of a job; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(models.IntegerChoices):
    """Who goes first on a queue: somebody waits, the usual, whenever there is time."""

    INTERACTIVE = 0
    NORMAL = 1
    BULK = 2


OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)
FINAL_STATES = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class JobSchedule(TenantModel):
    """A kind of job that is started by the clock, by cron or by interval. `next_run_at` is null while paused."""

    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=64)
    params = models.JSONField(default=dict)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.BULK)
    cron = models.CharField(max_length=120, blank=True)
    every_s = models.PositiveIntegerField(null=True)
    timezone = models.CharField(max_length=64, default="UTC")
    next_run_at = models.DateTimeField(null=True)
    last_run_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)  # counts the changes: who changes it says what they saw
    note = models.CharField(max_length=200, blank=True)  # why the last due run was not started
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)  # an interval counts from it

    class Meta:
        indexes = [models.Index(fields=["next_run_at"], name="schedule_due")]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "name"], name="one_schedule_per_name"),
            models.CheckConstraint(
                condition=models.Q(cron="", every_s__isnull=False)
                | (~models.Q(cron="") & models.Q(every_s=None)),
                name="cron_or_interval",
            ),
        ]

    @property
    def paused(self) -> bool:
        """The clock leaves it alone."""
        return self.next_run_at is None


class Job(TenantModel):
    """One piece of background work. `params` hold ids and settings, never personal data.

    A worker owns a running job while its lease lasts; `fence` counts the owners, and every write of an owner names
    its fence, so that one that lost the lease can change nothing any more.
    """

    kind = models.CharField(max_length=64)
    queue = models.CharField(max_length=32, default="general")
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NORMAL)
    state = models.CharField(max_length=16, choices=JobState.choices, default=JobState.QUEUED)
    params = models.JSONField(default=dict)
    result = models.JSONField(null=True)
    error = models.JSONField(null=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(null=True)
    rate = models.FloatField(null=True)  # of `done` per second, lately; null while nobody can say
    message = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    asked_by = models.CharField(
        max_length=60, blank=True
    )  # kind and id: an actor, or the schedule that was due
    schedule = models.ForeignKey(
        JobSchedule, null=True, on_delete=models.SET_NULL, related_name="jobs", db_index=False
    )
    scheduled_for = models.DateTimeField(null=True)
    repeats = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="repeated_by")
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    not_before = models.DateTimeField(null=True)  # a retry waits until then
    started_at = models.DateTimeField(null=True)  # of the latest attempt
    finished_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)
    last_event = models.PositiveIntegerField(default=0)  # the sequence of its newest event

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "-id"]),
            models.Index(fields=["organisation", "state", "-id"], name="job_page_by_state"),
            models.Index(fields=["organisation", "kind", "-id"], name="job_page_by_kind"),
            models.Index(
                fields=["state", "lease_until"], condition=models.Q(state="running"), name="job_leases"
            ),
            models.Index(
                fields=["organisation", "queue", "priority", "id"],
                condition=models.Q(state="queued"),
                name="job_claim_order",
            ),
            models.Index(fields=["organisation", "queue", "-started_at"], name="job_latest_start"),
            models.Index(
                fields=["schedule", "-id"], condition=models.Q(schedule__isnull=False), name="job_of_schedule"
            ),
            # However many have ended: what goes on, counted over all organisations and asked for by a schedule.
            models.Index(fields=["schedule"], condition=models.Q(state__in=OPEN_STATES), name="job_open"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "scheduled_for"], name="one_job_per_scheduled_time")
        ]

    @property
    def is_final(self) -> bool:
        """Nothing will change any more."""
        return self.state in FINAL_STATES

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the pace of late; None while that would be a guess."""
        if self.state != JobState.RUNNING or not self.total or not self.rate or self.done > self.total:
            return None
        return (self.total - self.done) / self.rate


class JobEvent(TenantModel):
    """Something that happened in a job; `rootstock.jobs.events` says what each type holds.

    `sequence` counts a job's events without a gap, in the order of their commits: a reader resumes behind it.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    sequence = models.PositiveIntegerField()
    type = models.CharField(max_length=32)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "sequence"], name="one_event_per_sequence")]
        indexes = [
            # A training has a few of these among a hundred thousand steps.
            models.Index(fields=["job", "-sequence"], condition=~models.Q(type="step"), name="job_story")
        ]


class JobArtefact(TenantModel):
    """A file that a job made, in Django's storage under `path` until it expires (then `path` is empty)."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="artefacts")
    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    path = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "name"], name="one_artefact_per_name")]
        indexes = [models.Index(fields=["expires_at"], condition=~models.Q(path=""), name="artefact_expiry")]
