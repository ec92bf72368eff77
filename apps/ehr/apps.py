"""The hospital's vertical."""

from django.apps import AppConfig


class EhrConfig(AppConfig):
    """Records, timelines, risk."""

    name = "apps.ehr"
    label = "ehr"
