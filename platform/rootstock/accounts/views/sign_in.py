"""Pages: signing in, and a new password for whoever has forgotten theirs."""

from typing import Any

from allauth.account.views import LoginView, PasswordResetView
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render


class SignIn(LoginView):  # type: ignore[misc]
    """allauth's, which knows whether a password can be reset by mail here."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Context of the template."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"resets_by_mail": settings.MAIL_CONFIGURED}


class PasswordReset(PasswordResetView):  # type: ignore[misc]
    """allauth's, where mail is sent. Elsewhere no link is made, and the page says who can help."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page for every method."""
        if not settings.MAIL_CONFIGURED:
            return render(request, "accounts/no_mail.html")
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer
