"""The jobs application."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Background work."""

    name = "rootstock.jobs"
    label = "jobs"
