"""Page: signing in."""

from typing import Any

from allauth.account.views import LoginView
from django.conf import settings


class SignIn(LoginView):  # type: ignore[misc]
    """allauth's, which knows whether a password can be reset by mail here."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Context of the template."""
        mails = settings.MAIL_CONFIGURED or not settings.PRODUCTION
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"resets_by_mail": mails}
