from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """Signed events to other systems."""

    name = "rootstock.webhooks"
    label = "webhooks"
