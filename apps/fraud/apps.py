"""The fraud application."""

from django.apps import AppConfig


class FraudConfig(AppConfig):
    """Payments and their decisions."""

    name = "apps.fraud"
    label = "fraud"
