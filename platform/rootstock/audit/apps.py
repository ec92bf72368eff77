from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The audit trail and the record of decisions."""

    name = "rootstock.audit"
    label = "audit"
