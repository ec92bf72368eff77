"""The operations application: management commands."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Commands that run an installation."""

    name = "rootstock.operations"
    label = "operations"
