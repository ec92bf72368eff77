"""The audit trail: who did what to which thing, and when. No personal data: ids only."""

from django.db import models

from rootstock.accounts.tenancy import TenantModel


class AuditEntry(TenantModel):
    """One thing that was done. Written once, never changed."""

    actor_kind = models.CharField(max_length=8)
    actor_id = models.CharField(max_length=40)
    action = models.CharField(max_length=64)  # "api_key.created", "patient.read"
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=80, blank=True)
    data = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "-id"], name="audit_page")]
