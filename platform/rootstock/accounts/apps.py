"""The accounts application."""

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class AccountsConfig(AppConfig):
    """Registers the hook that grants the application's role its rights after each migration."""

    name = "rootstock.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Connect the hooks: rights after a migration, what is saved is checked anew, what sign-in reports."""
        from allauth.idp.oidc.models import Token
        from django.db.models.signals import post_delete, post_migrate, post_save

        from rootstock.accounts import signals, verified
        from rootstock.accounts.models import ApiKey, MachineClient
        from rootstock.accounts.tenancy import grant_application_role

        post_migrate.connect(grant_application_role, sender=self)
        for signal in (post_save, post_delete):
            signal.connect(verified.api_key_saved, sender=ApiKey)
            signal.connect(verified.machine_client_saved, sender=MachineClient)
        post_delete.connect(verified.access_token_deleted, sender=Token)
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
