"""What allauth and django-axes report is told in the audit trail."""

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django.utils import timezone

from rootstock import rates
from rootstock.accounts.lockout import attempted_name
from rootstock.accounts.middleware import SIGNED_IN_KEY
from rootstock.accounts.models import User
from rootstock.accounts.personal_audit import SOMEBODY, personal_record

_TOLD_EVERY_S = 600  # whoever tries on does not fill the trail


def on_sign_in(sender: object, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """A person came in; from now the session's length counts."""
    request.session[SIGNED_IN_KEY] = timezone.now().timestamp()
    personal_record(user, "person.signed_in")


def on_password(sender: object, user: User, **kwargs: Any) -> None:
    """A password was changed, set or reset."""
    personal_record(user, "person.password_changed")


def on_factor_added(sender: object, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    """A second factor, a passkey or recovery codes were set up."""
    personal_record(user, "person.factor_added", {"type": authenticator.type})


def on_factor_removed(sender: object, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    """One was taken away."""
    personal_record(user, "person.factor_removed", {"type": authenticator.type})


def on_factor_failed(sender: object, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    """A code was wrong, after the password or for one more look at who it is."""
    if rates.first_in(f"factor_failed:{user.pk}", _TOLD_EVERY_S):
        personal_record(user, "person.factor_failed", {"type": authenticator.type}, SOMEBODY)


def on_sign_in_failed(
    sender: object, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """A password was wrong; of unknown names there is nobody's trail to tell."""
    name = attempted_name(request, credentials) if request else ""
    user = User.objects.filter(username__iexact=name).first() if name else None
    if user and rates.first_in(f"sign_in_failed:{user.pk}", _TOLD_EVERY_S):
        personal_record(user, "person.sign_in_failed", actor=SOMEBODY)


def on_lockout(sender: object, request: HttpRequest, username: str, **kwargs: Any) -> None:
    """Too many failed sign-ins for a name, told once a lock; of unknown names there is nobody's trail to tell."""
    user = User.objects.filter(username__iexact=username).first()
    if user and rates.first_in(f"locked_out:{user.pk}", settings.LOCKOUT_S):
        personal_record(user, "person.locked_out", actor=SOMEBODY)


def connect() -> None:
    """Called once when the application is ready."""
    account.user_logged_in.connect(on_sign_in)
    for signal in (account.password_changed, account.password_set, account.password_reset):
        signal.connect(on_password)
    for signal in (mfa.authenticator_added, mfa.authenticator_reset):
        signal.connect(on_factor_added)
    mfa.authenticator_removed.connect(on_factor_removed)
    mfa.authentication_failed.connect(on_factor_failed)
    user_login_failed.connect(on_sign_in_failed)
    user_locked_out.connect(on_lockout)
