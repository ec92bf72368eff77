"""Page: accepting an invitation, as a new person or as one who has an account."""

from typing import Any

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import EmailAddress, Login
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from rootstock.accounts import services
from rootstock.accounts.actors import Actor, act_as
from rootstock.accounts.forms import JoinForm
from rootstock.accounts.middleware import SESSION_KEY
from rootstock.accounts.models import Invitation, User
from rootstock.accounts.roles import ROLE_SCOPES, SCOPES
from rootstock.accounts.selectors import invitation_by_token
from rootstock.console.forms import saved
from rootstock.errors import NotFound


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """What is offered, and the form that accepts it."""
    invitation = invitation_by_token(token)
    if invitation is None:
        raise NotFound(
            "this invitation has been used, revoked or replaced, or it has expired; ask for a new one"
        )
    if request.user.is_authenticated:
        return _join_signed_in(request, invitation, request.user)
    return _join_as_new(request, invitation)


def _join_signed_in(request: HttpRequest, invitation: Invitation, user: User) -> HttpResponse:
    if request.method == "POST":
        act_as(Actor("person", str(user.pk)))
        services.invitation_accept(invitation=invitation, user=user)
        request.session[SESSION_KEY] = str(invitation.organisation_id)
        messages.success(request, f"Welcome to {invitation.organisation.name}.")
        return redirect("home")
    return render(request, "accounts/join.html", _context(invitation))


def _join_as_new(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    has_account = User.objects.filter(email__iexact=invitation.email).exists()
    form = JoinForm(
        None if has_account else request.POST or None,
        initial={"username": invitation.email.partition("@")[0]},
    )
    if user := saved(form, lambda: _enter(invitation, **form.cleaned_data)):
        record_authentication(request, user, method="password", username=user.username)
        answer: HttpResponse = perform_login(request, Login(user=user, email=invitation.email))
        return answer
    return render(request, "accounts/join.html", _context(invitation, form=form, has_account=has_account))


@transaction.atomic
def _enter(invitation: Invitation, **given: str) -> User:
    """The account and the membership together. Who holds a mailed link has shown that the address is theirs."""
    user = services.user_create(email=invitation.email, **given)
    EmailAddress.objects.create(user=user, email=user.email, verified=invitation.mailed, primary=True)
    act_as(Actor("person", str(user.pk)))
    services.invitation_accept(invitation=invitation, user=user)
    return user


def _context(invitation: Invitation, **more: Any) -> dict[str, Any]:
    return {
        "invitation": invitation,
        "scopes": sorted(SCOPES[scope] for scope in ROLE_SCOPES[invitation.role]),
    } | more
