"""The adaptation application."""

from django.apps import AppConfig


class AdaptationConfig(AppConfig):
    """Starting, watching and comparing trainings."""

    name = "rootstock.adaptation"
    label = "adaptation"
