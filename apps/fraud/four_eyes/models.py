"""What is in force and who agreed to it, whatever it is that has versions."""

from typing import Any

from django.db import models

from rootstock.accounts.tenancy import TenantModel


class Request(TenantModel):
    """Somebody asked that a version comes into force; somebody else decides. A constraint keeps it at one open."""

    class State(models.TextChoices):
        """How far it has come."""

        OPEN = "open", "Waits for a second person"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"
        WITHDRAWN = "withdrawn", "Withdrawn"

    version: "models.ForeignKey[Any, Any]"
    reason = models.CharField(max_length=300)
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    requested_by = models.CharField(max_length=60)
    person = models.CharField(max_length=60)  # who stood behind `requested_by` then
    decided_by = models.CharField(max_length=60, blank=True)
    because = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class InForce(TenantModel):
    """Which version is in force. `generation` counts the moves."""

    current: "models.ForeignKey[Any, Any]"
    generation = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True
