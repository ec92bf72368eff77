from django.apps import AppConfig


class PrivacyConfig(AppConfig):
    """Keys per subject, retention, export and erasure."""

    name = "rootstock.privacy"
    label = "privacy"
