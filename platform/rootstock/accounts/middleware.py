"""Puts the signed-in person's membership and organisation on the request, and keeps what only people need away from
requests of the API that carry their own credentials."""

import time
from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.middleware import AuthenticationMiddleware as DjangoAuthentication
from django.contrib.messages.middleware import MessageMiddleware as DjangoMessages
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessions
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware as DjangoCsrf
from django.shortcuts import redirect

from rootstock.accounts.models import Membership, User
from rootstock.accounts.selectors import memberships_of

SESSION_KEY = "organisation"
SIGNED_IN_KEY = "signed_in_at"
SEEN_KEY = "seen_at"
SEEN_STEP_S = 300
Response = Callable[[HttpRequest], HttpResponse]
# Where a person who must set up two factors may still go.
_BEFORE_ENROLMENT = ("/account/", "/logout/", "/login/", "/join/", "/static/", "/health", "/readyz", "/api/")


def carries_credentials(request: HttpRequest) -> bool:
    """A request of a program: to the API, with an Authorization header. It has no session."""
    return "HTTP_AUTHORIZATION" in request.META and request.path.startswith(("/api/", "/v1/"))


class _ForPeople:
    """Mixed into a middleware of Django's: requests that carry their own credentials step over it."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if carries_credentials(request):
            return self.get_response(request)  # type: ignore[no-any-return]
        return super().__call__(request)  # type: ignore[misc,no-any-return]


class SessionMiddleware(_ForPeople, DjangoSessions):
    """Sessions of people."""


class AuthenticationMiddleware(_ForPeople, DjangoAuthentication):
    """`request.user` of people."""


class MessageMiddleware(_ForPeople, DjangoMessages):
    """Messages to people."""


class CsrfViewMiddleware(_ForPeople, DjangoCsrf):
    """Browsers send cookies by themselves; an Authorization header they do not."""

    def process_view(self, request: HttpRequest, *rest: Any) -> Any:
        """As Django's."""
        return None if carries_credentials(request) else super().process_view(request, *rest)


def _chosen(request: HttpRequest, found: list[Membership]) -> Membership | None:
    wanted = (request.session.get(SESSION_KEY), str(request.user.last_organisation_id))  # type: ignore[union-attr]
    by_id = {str(membership.organisation_id): membership for membership in found}
    return next((by_id[key] for key in wanted if key in by_id), found[0] if found else None)


def _has_lapsed(request: HttpRequest, membership: Membership) -> bool:
    """Whether the organisation's session length is over; counted from signing in, however busy the person is."""
    hours = membership.organisation.session_hours
    started = request.session.get(SIGNED_IN_KEY)
    return hours is not None and started is not None and time.time() - started > hours * 3600


def _note_seen(request: HttpRequest) -> None:
    """When the browser was last seen, for the list of sessions: a write about every five minutes."""
    now = int(time.time())
    if now - request.session.get(SEEN_KEY, 0) > SEEN_STEP_S:
        from allauth.usersessions.models import UserSession
        from django.utils import timezone

        request.session[SEEN_KEY] = now
        UserSession.objects.filter(session_key=request.session.session_key).update(
            last_seen_at=timezone.now()
        )


class OrganisationMiddleware:
    """Session requests act in the organisation chosen last, else in the person's first one."""

    def __init__(self, get_response: Response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_AUTHORIZATION" in request.META or not request.session.session_key:
            return self.get_response(request)
        if request.user.is_authenticated and (answer := self._enter(request)):
            return answer
        return self.get_response(request)

    def _enter(self, request: HttpRequest) -> HttpResponse | None:
        """Sets memberships, membership and organisation; answers itself when the person may not go on."""
        from rootstock.accounts.mfa import must_enrol

        user = cast(User, request.user)
        found = memberships_of(user)
        membership = _chosen(request, found)
        request.memberships, request.membership = found, membership  # type: ignore[attr-defined]
        organisation = membership.organisation if membership else None
        if membership is not None:
            if _has_lapsed(request, membership):
                logout(request)
                del request.memberships, request.membership  # type: ignore[attr-defined]
                return None
            request.organisation = organisation  # type: ignore[attr-defined]
        _note_seen(request)
        if settings.MFA != "off" and must_enrol(user, organisation):
            request.must_enrol = True  # type: ignore[attr-defined]
            if not request.path.startswith(_BEFORE_ENROLMENT):
                return redirect("mfa_index")
        return None
