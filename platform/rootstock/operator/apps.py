from django.apps import AppConfig


class OperatorConfig(AppConfig):
    """The operators' admin under /operator/."""

    name = "rootstock.operator"
    label = "operator"

    def ready(self) -> None:
        """Register the models. Django's own discovery is off: it would bring in other packages' admins unguarded."""
        from rootstock.operator import admins  # noqa: F401
