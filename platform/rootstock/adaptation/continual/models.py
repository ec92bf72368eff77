"""Plans of continual adaptation, their runs, and what each run measured."""

from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.adaptation.continual.terms import Terms
from rootstock.jobs.models import Job
from rootstock.registry.models import AdapterVersion, Alias, Dataset, Promotion


class ContinualPlan(TenantModel):
    """What an alias learns from by the clock: training data sets called `collection`.

    `next_run_at` is null while it is paused. Promotions are asked for in the name of the person who set the plan up or
    changed it last.
    """

    alias = models.ForeignKey(Alias, on_delete=models.CASCADE, related_name="continual_plans")
    collection = models.CharField(max_length=80)
    task = models.CharField(max_length=16)  # of the data sets: pairs of answers teach chat
    terms = models.JSONField()
    cron = models.CharField(max_length=120)
    timezone = models.CharField(max_length=64, default="UTC")
    next_run_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=300, blank=True)  # why the last due run was not started
    version = models.PositiveIntegerField(default=1)  # counts the changes: who changes it says what they saw
    made_by = models.CharField(max_length=60)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "alias"], name="one_continual_plan_per_alias")
        ]
        indexes = [models.Index(fields=["next_run_at"], name="continual_plan_due")]

    @property
    def said(self) -> Terms:
        """Its terms."""
        return Terms.model_validate(self.terms)

    @property
    def paused(self) -> bool:
        """The clock leaves it alone."""
        return self.next_run_at is None


class RunState(models.TextChoices):
    """How far a run has come; the last four are final."""

    GATHERING = "gathering", "Gathering examples"
    TRAINING = "training", "Training"
    EVALUATING = "evaluating", "Evaluating"
    PROPOSED = "proposed", "Proposed"
    NOT_BETTER = "not_better", "Not better"
    NOTHING_NEW = "nothing_new", "Nothing new"
    FAILED = "failed", "Failed"


OPEN_RUNS = (RunState.GATHERING, RunState.TRAINING, RunState.EVALUATING)
LEARNED = (RunState.PROPOSED, RunState.NOT_BETTER)  # what such a run gathered is new no longer


class ContinualRun(TenantModel):
    """One round of a plan. Each step is one transaction on its locked row: killed anywhere, it goes on from there.

    `fresh` and `earlier` are the ids of the data sets that were chosen when it began.
    """

    plan = models.ForeignKey(ContinualPlan, on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=11, choices=RunState.choices, default=RunState.GATHERING)
    collection = models.CharField(max_length=80)
    terms = models.JSONField()
    asked_by = models.CharField(max_length=60)
    fresh = models.JSONField(default=list)
    earlier = models.JSONField(default=list)
    production = models.ForeignKey(AdapterVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    dataset = models.ForeignKey(Dataset, null=True, on_delete=models.SET_NULL, related_name="+")
    replay = models.ForeignKey(Dataset, null=True, on_delete=models.SET_NULL, related_name="+")
    left_out = models.PositiveIntegerField(default=0)  # learned before, there twice, or in a test set
    training = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    version = models.ForeignKey(AdapterVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    promotion = models.ForeignKey(Promotion, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=500, blank=True)  # why it ended so
    note = models.CharField(max_length=300, blank=True)  # what it waits for
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["plan", "number"], name="one_continual_run_per_number"),
            models.UniqueConstraint(
                fields=["plan"], condition=models.Q(state__in=OPEN_RUNS), name="one_open_continual_run"
            ),
        ]
        indexes = [
            models.Index(
                fields=["state", "id"], condition=models.Q(state__in=OPEN_RUNS), name="continual_run_open"
            ),
            models.Index(fields=["organisation", "plan", "-id"], name="continual_run_page"),
        ]

    @property
    def said(self) -> Terms:
        """The terms that hold for it."""
        return Terms.model_validate(self.terms)

    @property
    def is_open(self) -> bool:
        """It has not ended."""
        return self.state in OPEN_RUNS


class ContinualMeasure(TenantModel):
    """One test set of a run: the figure of what served before, and of what came out. Null until it is measured."""

    run = models.ForeignKey(ContinualRun, on_delete=models.CASCADE, related_name="measures")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="+")
    is_guard = models.BooleanField()
    figure = models.CharField(max_length=40)
    before = models.FloatField(null=True)
    after = models.FloatField(null=True)
    before_job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    after_job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "dataset"], name="one_continual_measure_per_set")
        ]

    @property
    def difference(self) -> float | None:
        """What was gained, or lost."""
        return None if self.before is None or self.after is None else self.after - self.before
