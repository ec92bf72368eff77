"""The accounts application."""

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class AccountsConfig(AppConfig):
    """Registers the hook that grants the application's role its rights after each migration."""

    name = "rootstock.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Connect the hooks: rights after a migration, a key that is saved is checked anew, what sign-in reports."""
        from django.db.models.signals import post_delete, post_migrate, post_save

        from rootstock.accounts import signals
        from rootstock.accounts.models import ApiKey
        from rootstock.accounts.tenancy import grant_application_role
        from rootstock.accounts.verified import api_key_saved

        post_migrate.connect(grant_application_role, sender=self)
        post_save.connect(api_key_saved, sender=ApiKey)
        post_delete.connect(api_key_saved, sender=ApiKey)
        signals.connect()
        self._check_domains()

    def _check_domains(self) -> None:
        """The settings cannot know the roles: models come after them."""
        from rootstock.accounts.models import Role

        for domain, (_, role) in settings.OIDC_DOMAINS.items():
            if role not in Role.values:
                raise ImproperlyConfigured(
                    f"ROOTSTOCK_OIDC_DOMAINS: {domain}: {role!r} is none of {', '.join(Role.values)}"
                )
