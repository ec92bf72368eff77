"""Puts the signed-in person's membership and organisation on the request; ends sessions that have lasted long enough,
and sends who must set up two factors to where that is done."""

import time
from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from rootstock.accounts.models import Membership, User
from rootstock.accounts.selectors import memberships_of
from rootstock.edge import API_PREFIXES

SESSION_KEY = "organisation"
SIGNED_IN_KEY = "signed_in_at"
SEEN_KEY = "seen_at"
SEEN_STEP_S = 300
Response = Callable[[HttpRequest], HttpResponse]
# Where a person who must set up two factors may still go.
_BEFORE_ENROLMENT = (
    *("/account/", "/logout/", "/login/", "/join/", "/static/", "/health", "/readyz"),
    *API_PREFIXES,
)


def _has_key(request: HttpRequest) -> bool:
    """Whether a program calls the API: its key says who acts. On a page the header means nothing."""
    return "HTTP_AUTHORIZATION" in request.META and request.path_info.startswith(API_PREFIXES)


def _chosen(request: HttpRequest, found: list[Membership]) -> Membership | None:
    wanted = (request.session.get(SESSION_KEY), str(request.user.last_organisation_id))  # type: ignore[union-attr]
    by_id = {str(membership.organisation_id): membership for membership in found}
    return next((by_id[key] for key in wanted if key in by_id), found[0] if found else None)


def _has_lapsed(request: HttpRequest, membership: Membership | None) -> bool:
    """Whether the time since signing in is over, however busy the person was meanwhile."""
    allowed = settings.SESSION_HOURS
    if membership is not None and membership.organisation.session_hours is not None:
        allowed = min(allowed, membership.organisation.session_hours)
    started = request.session.get(SIGNED_IN_KEY)
    return started is not None and time.time() - started > allowed * 3600


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
        if _has_key(request) or not request.session.session_key:
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
        organisation = membership.organisation if membership else None
        if _has_lapsed(request, membership):
            logout(request)
            return None
        request.memberships, request.membership = found, membership  # type: ignore[attr-defined]
        if organisation is not None:
            request.organisation = organisation  # type: ignore[attr-defined]
        _note_seen(request)
        if settings.MFA != "off" and must_enrol(user, organisation):
            request.must_enrol = True  # type: ignore[attr-defined]
            if not request.path.startswith(_BEFORE_ENROLMENT):
                return redirect("mfa_index")
        return None
