"""Organisations, people and API keys."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.ids import uuid7


class Organisation(models.Model):
    """A tenant: a bank, a hospital, a support desk."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=120)
    slug = models.SlugField(unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A person. What they may do comes from their memberships."""


class Role(models.TextChoices):
    """The roles of a member. What each permits is decided in `accounts.roles`."""

    ADMINISTRATOR = "administrator"
    ML_ENGINEER = "ml_engineer"
    FRAUD_ANALYST = "fraud_analyst"
    FRAUD_SUPERVISOR = "fraud_supervisor"
    CLINICIAN = "clinician"
    PRIVACY_OFFICER = "privacy_officer"
    SUPPORT_AGENT = "support_agent"
    SUPPORT_LEAD = "support_lead"
    AUDITOR = "auditor"


class Membership(TenantModel):
    """A person's place in an organisation."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=32, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "user"], name="one_membership_per_organisation")
        ]


class ApiKey(TenantModel):
    """A machine's key. Only its hash is stored; the prefix finds it."""

    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True)
    hash = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    rate_per_minute = models.PositiveIntegerField(null=True)  # null: settings.API_RATE_PER_MINUTE
    replaces = models.OneToOneField("self", null=True, on_delete=models.SET_NULL, related_name="replaced_by")
