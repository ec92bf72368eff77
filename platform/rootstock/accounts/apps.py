"""The accounts application."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Registers the hook that grants the application's role its rights after each migration."""

    name = "rootstock.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Connect the hook."""
        from django.db.models.signals import post_migrate

        from rootstock.accounts.tenancy import grant_application_role

        post_migrate.connect(grant_application_role, sender=self)
