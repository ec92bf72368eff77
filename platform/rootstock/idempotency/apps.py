"""The application that remembers what was answered under an Idempotency-Key."""

from django.apps import AppConfig


class IdempotencyConfig(AppConfig):
    """Idempotency keys."""

    name = "rootstock.idempotency"
    label = "idempotency"
