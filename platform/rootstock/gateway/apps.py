"""The application through which models are used: the OpenAI-compatible API, its budgets, its pages."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """The gateway to the engine."""

    name = "rootstock.gateway"
    label = "gateway"
