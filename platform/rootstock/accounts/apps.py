"""The accounts application."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Registers the hook that grants the application's role its rights after each migration."""

    name = "rootstock.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Connect the hooks: rights after a migration, and a key that is saved is checked anew everywhere."""
        from django.db.models.signals import post_delete, post_migrate, post_save

        from rootstock.accounts.models import ApiKey
        from rootstock.accounts.tenancy import grant_application_role
        from rootstock.accounts.verified import api_key_saved

        post_migrate.connect(grant_application_role, sender=self)
        post_save.connect(api_key_saved, sender=ApiKey)
        post_delete.connect(api_key_saved, sender=ApiKey)
