"""Page: the signed-in person's own account."""

from typing import cast

from allauth.account.decorators import reauthentication_required
from allauth.account.models import EmailAddress
from allauth.core import ratelimit
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from rootstock.accounts import services
from rootstock.accounts.forms import ProfileForm
from rootstock.accounts.models import User
from rootstock.console.forms import saved
from rootstock.errors import Busy


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)  # login_required has seen to it


def _changes_address(request: HttpRequest) -> bool:
    """Whether the form brings another address: one signs in with it, and resets of the password go there."""
    return request.method == "POST" and request.POST.get("email", "").strip() != _user(request).email


@require_http_methods(["GET", "POST"])
@login_required
@reauthentication_required(enabled=_changes_address)  # type: ignore[untyped-decorator]
def account(request: HttpRequest) -> HttpResponse:
    """Name, address, password, second factors, sessions, organisations."""
    user = _user(request)
    form = ProfileForm(request.POST or None, initial={"full_name": user.get_full_name(), "email": user.email})
    if saved(form, lambda: _updated(request, **form.cleaned_data)):
        messages.success(request, "Saved.")
        return redirect("account")
    factors = {found.type: found for found in Authenticator.objects.filter(user=user)}
    context = {
        "form": form,
        "sessions": sorted(
            UserSession.objects.purge_and_list(user), key=lambda found: found.last_seen_at, reverse=True
        ),
        "session_hours": settings.SESSION_HOURS,
        "mfa": settings.MFA,
        "must_enrol": getattr(request, "must_enrol", False),
        "totp": factors.get(Authenticator.Type.TOTP),
        "recovery": factors.get(Authenticator.Type.RECOVERY_CODES),
        "passkeys": Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).count(),
        "sso": SocialAccount.objects.filter(user=user).count() if settings.OIDC_ISSUER else None,
        "address": EmailAddress.objects.get_primary(user),
    }
    return render(request, "accounts/account.html", context)


def _updated(request: HttpRequest, **given: str) -> User:
    """An address that another account has is told, so nobody may try many."""
    if _changes_address(request) and not ratelimit.consume(
        request, action="change_address", user=_user(request)
    ):
        raise Busy("you have changed your address too often; try again in an hour", retry_after=3600)
    return services.person_update(user=_user(request), **given)


@require_POST
@login_required
def session_end(request: HttpRequest, session_id: int) -> HttpResponse:
    """Sign one browser out."""
    services.session_end(user=_user(request), session_id=session_id)
    messages.success(request, "That browser is signed out.")
    return redirect("account")


@require_POST
@login_required
def sessions_end(request: HttpRequest) -> HttpResponse:
    """Sign every other browser out."""
    ended = services.other_sessions_end(user=_user(request), keep=request.session.session_key or "")
    messages.success(request, f"{ended} other session{'' if ended == 1 else 's'} ended.")
    return redirect("account")
