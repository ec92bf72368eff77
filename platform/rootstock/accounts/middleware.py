"""Puts the signed-in person's membership and organisation on the request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from rootstock.accounts.models import Membership
from rootstock.accounts.selectors import memberships_of

SESSION_KEY = "organisation"


def _memberships(request: HttpRequest) -> list[Membership]:
    return memberships_of(request.user) if request.user.is_authenticated else []


def _chosen(request: HttpRequest) -> Membership | None:
    found = request.memberships  # type: ignore[attr-defined]
    wanted = request.session.get(SESSION_KEY)
    return next((m for m in found if str(m.organisation_id) == wanted), found[0] if found else None)


class OrganisationMiddleware:
    """Session requests act in the organisation chosen in the session, else in the person's first one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "Authorization" not in request.headers and request.session.session_key:
            request.memberships = _memberships(request)  # type: ignore[attr-defined]
            request.membership = _chosen(request)  # type: ignore[attr-defined]
            if request.membership is not None:  # type: ignore[attr-defined]
                request.organisation = request.membership.organisation  # type: ignore[attr-defined]
        return self.get_response(request)
