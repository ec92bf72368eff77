"""The support application."""

from django.apps import AppConfig


class SupportConfig(AppConfig):
    """The support vertical."""

    name = "apps.support"
    label = "support"
    verbose_name = "Support"
