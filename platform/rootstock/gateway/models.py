"""What an organisation may use of the models, and what it has used. Never what was said."""

from django.db import models

from rootstock.accounts.tenancy import TenantModel


class Budget(TenantModel):
    """The limits of one organisation. Null: unlimited; of `streams`, the installation's own limit."""

    tokens_per_day = models.PositiveBigIntegerField(null=True)
    tokens_per_month = models.PositiveBigIntegerField(null=True)
    streams = models.PositiveSmallIntegerField(null=True)  # answers written at once
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation"], name="one_budget_per_organisation"),
        ]


class UsageCall(TenantModel):
    """A call that has been counted: its `id` is the call's own, so that none is counted twice. Kept for days."""

    counted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "counted_at"], name="usage_call_age")]


class UsageDay(TenantModel):
    """What one caller used of one model on one day (UTC)."""

    day = models.DateField()
    holder_kind = models.CharField(max_length=8)  # as accounts.actors.Actor: person, key or client
    holder_id = models.CharField(max_length=40)
    model = models.CharField(max_length=120)  # `base` or `name@digest`
    calls = models.PositiveIntegerField(default=0)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    cached_tokens = models.PositiveBigIntegerField(default=0)  # of the prompt, found in the prefix cache
    completion_tokens = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "day", "holder_kind", "holder_id", "model"],
                name="one_usage_per_day_caller_and_model",
            )
        ]
