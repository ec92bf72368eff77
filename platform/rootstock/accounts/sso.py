"""Who may enter by the organisation's identity provider (OpenID Connect), and allauth's other decisions."""

import time
from dataclasses import dataclass
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import render

from rootstock.accounts.actors import Actor, act_as
from rootstock.accounts.mail import handed_over
from rootstock.accounts.middleware import SIGNED_IN_KEY
from rootstock.accounts.models import Invitation, Organisation, User
from rootstock.accounts.selectors import open_invitations_to
from rootstock.accounts.services.invitations import invitation_accept
from rootstock.accounts.services.members import member_add

_MISMATCH = "That name and password do not match an account. The password is case-sensitive."


@dataclass(slots=True, frozen=True)
class Admission:
    """Why a person may enter who has no account yet: invitations to their address, or a role for their domain."""

    invitations: list[Invitation]
    organisation: Organisation | None = None
    role: str = ""


def admission_of(email: str) -> Admission | None:
    """What awaits a verified address; None when nothing does."""
    if invitations := open_invitations_to(email):
        return Admission(invitations)
    mapped = settings.OIDC_DOMAINS.get(email.rpartition("@")[2].lower())
    organisation = Organisation.objects.filter(slug=mapped[0]).first() if mapped else None
    return Admission([], organisation, mapped[1]) if mapped and organisation else None


def verified_address(sociallogin: SocialLogin) -> str:
    """The address that the provider vouches for, or empty."""
    return next((found.email.lower() for found in sociallogin.email_addresses if found.verified), "")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are made by invitation only; failed sign-ins are counted by django-axes alone."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": _MISMATCH,
        "email_password_mismatch": _MISMATCH,
        "account_inactive": "This account is switched off. Ask an administrator.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never by a form that anybody finds."""
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Two counters with different limits would give two different messages."""

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Changing how one signs in takes the password again, unless it was given a moment ago.

        Who has neither password nor second factor comes through the identity provider again; allauth lets them pass.
        """
        request = context.request
        signed_in_at = request.session.get(SIGNED_IN_KEY, 0.0)
        if time.time() - signed_in_at < app_settings.REAUTHENTICATION_TIMEOUT:
            return False
        if not self.get_reauthentication_methods(request.user):
            raise ImmediateHttpResponse(render(request, "accounts/sign_in_again.html", status=403))
        return bool(super().is_reauthentication_required(app=app, **kwargs))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Nobody's page fails with the mail server; the log tells."""
        what = template_prefix.rpartition("/")[2]
        handed_over(what, lambda: super(AccountAdapter, self).send_mail(template_prefix, email, context))

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """The pages show what happened themselves; "signed in as" on each sign-in is noise."""
        if "account/messages/logged_" not in str(kwargs.get("message_template") or args[2:3]):
            super().add_message(*args, **kwargs)


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Only invited people, and domains that the operator has mapped to an organisation and a role."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Whether something awaits the verified address."""
        address = verified_address(sociallogin)
        if not address or admission_of(address) is None:
            return False
        if User.objects.filter(email__iexact=address).exists():
            raise ImmediateHttpResponse(render(request, "accounts/address_taken.html", {"address": address}))
        return True

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """The account that has shown to own the verified address. One that only claims it could be anybody's."""
        address = verified_address(sociallogin)
        owned = EmailAddress.objects.filter(email__iexact=address, verified=True).select_related("user")
        found = owned.first() if address else None
        return (found.user, address) if found else None

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Make the account and its memberships together."""
        admission = admission_of(verified_address(sociallogin))
        with transaction.atomic():
            user: User = super().save_user(request, sociallogin, form)
            if admission is None:  # withdrawn while the person was at the provider
                return user
            act_as(Actor("person", str(user.pk)))
            for invitation in admission.invitations:
                invitation_accept(invitation=invitation, user=user)
            if admission.organisation is not None:
                member_add(organisation=admission.organisation, user=user, role=admission.role)
        return user
