from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "rootstock.console"
    label = "console"
