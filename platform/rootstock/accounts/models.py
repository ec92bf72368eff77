"""Organisations, people and API keys."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from rootstock.accounts.tenancy import TenantModel
from rootstock.ids import uuid7


class Organisation(models.Model):
    """A tenant: a bank, a hospital, a support desk."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=120)
    slug = models.SlugField(unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    session_hours = models.PositiveSmallIntegerField(null=True)  # null: settings.SESSION_HOURS
    mfa_required = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A person. What they may do comes from their memberships."""

    last_organisation = models.ForeignKey(
        Organisation, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("email"), condition=~models.Q(email=""), name="one_account_per_address"
            )
        ]


class Role(models.TextChoices):
    """The roles of a member. What each permits is decided in `accounts.roles`."""

    ADMINISTRATOR = "administrator", "Administrator"
    ML_ENGINEER = "ml_engineer", "ML engineer"
    FRAUD_ANALYST = "fraud_analyst", "Fraud analyst"
    FRAUD_SUPERVISOR = "fraud_supervisor", "Fraud supervisor"
    CLINICIAN = "clinician", "Clinician"
    PRIVACY_OFFICER = "privacy_officer", "Privacy officer"
    SUPPORT_AGENT = "support_agent", "Support agent"
    SUPPORT_LEAD = "support_lead", "Support lead"
    AUDITOR = "auditor", "Auditor"


class Membership(TenantModel):
    """A person's place in an organisation."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=32, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "user"], name="one_membership_per_organisation")
        ]


class Invitation(TenantModel):
    """An offer of a role to whoever holds its token. Only the token's hash is stored."""

    email = models.EmailField()
    role = models.CharField(max_length=32, choices=Role.choices)
    hash = models.CharField(max_length=64, unique=True)
    mailed = models.BooleanField(default=False)  # the link went to the address and to nobody else
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "email"],
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="one_open_invitation_per_address",
            )
        ]

    @property
    def state(self) -> str:
        """open, accepted, revoked or expired."""
        if self.accepted_at:
            return "accepted"
        if self.revoked_at:
            return "revoked"
        return "open" if self.expires_at > timezone.now() else "expired"


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

    class Meta:
        verbose_name = "API key"

    @property
    def state(self) -> str:
        """live, expired or revoked."""
        return _state(self.revoked_at, self.expires_at)


class MachineClient(TenantModel):
    """A program that gets its tokens by OAuth2 client credentials. Its secret and tokens are allauth's rows, which
    know no organisation: this row binds them to one."""

    name = models.CharField(max_length=80)
    client = models.OneToOneField("allauth_idp_oidc.Client", on_delete=models.PROTECT, related_name="machine")
    scopes = models.JSONField(default=list)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    rate_per_minute = models.PositiveIntegerField(null=True)  # null: settings.API_RATE_PER_MINUTE
    previous_secret = models.CharField(max_length=200, default="")  # hashed, as allauth hashes the new one
    previous_until = models.DateTimeField(null=True)

    @property
    def overlaps(self) -> bool:
        """Whether the secret before the last rotation still works."""
        return self.previous_until is not None and self.previous_until > timezone.now()

    @property
    def state(self) -> str:
        """live or revoked."""
        return _state(self.revoked_at, None)


def _state(revoked_at: datetime | None, expires_at: datetime | None) -> str:
    if revoked_at:
        return "revoked"
    return "expired" if expires_at and expires_at <= timezone.now() else "live"
