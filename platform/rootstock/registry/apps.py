"""The registry application."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """Base models and adapters."""

    name = "rootstock.registry"
    label = "registry"
