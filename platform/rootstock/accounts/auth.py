"""Who is calling: an API key (Bearer) or a signed-in person, and which scope an endpoint asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from rootstock import rates
from rootstock.accounts.actors import Actor, act_as
from rootstock.accounts.models import ApiKey, MachineClient, Membership, Organisation, User
from rootstock.accounts.roles import ROLE_SCOPES, SCOPES
from rootstock.accounts.verified import token_verify
from rootstock.errors import Forbidden, Unauthorized

P = ParamSpec("P")


@dataclass(slots=True, frozen=True)
class Principal:
    """The caller of a request, in one organisation, with what it may do."""

    organisation: Organisation
    scopes: frozenset[str]
    user: User | None = None
    api_key: ApiKey | None = None
    client: MachineClient | None = None

    @property
    def actor(self) -> Actor:
        """The caller as the audit trail knows it."""
        if self.api_key is not None:
            return Actor("key", str(self.api_key.pk))
        if self.client is not None:
            return Actor("client", str(self.client.pk))
        return Actor("person", str(self.user.pk if self.user else ""))

    @property
    def person(self) -> User | None:
        """Who stands behind the caller: the person, or who made the key or client. None: not known."""
        machine = self.api_key or self.client
        return machine.created_by if machine is not None else self.user

    @property
    def granted(self) -> frozenset[str] | None:
        """What a machine may pass on: its own scopes. A person with people:write may give any role: None."""
        return None if self.user is not None else self.scopes

    def require(self, name: str) -> None:
        """Raise `Forbidden` unless the caller has the scope."""
        if name not in self.scopes:
            raise Forbidden(f"this needs the scope {name}")


class ApiRequest(HttpRequest):
    """An API request after authentication, for type checkers."""

    auth: Principal
    request_id: str


class PageRequest(HttpRequest):
    """A signed-in page request, for type checkers."""

    organisation: Organisation
    membership: Membership
    memberships: list[Membership]
    user: User


def principal_of(request: HttpRequest) -> Principal:
    """The caller. A Bearer key wins over a session; a session is checked against cross-site requests.

    Found out, and counted, once in a request; the log reads it from the request, also for one that is refused.
    """
    known: Principal | None = getattr(request, "auth", None)
    request.auth = known or _found_out(request)  # type: ignore[attr-defined]
    return request.auth  # type: ignore[attr-defined, no-any-return]


def _found_out(request: HttpRequest) -> Principal:
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if header:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("Authorization: expected 'Bearer <API key>'")
        return _principal_of_token(request, token.strip())
    return _principal_of_session(request)


def _principal_of_token(request: HttpRequest, token: str) -> Principal:
    found = token_verify(token)
    if found is None:
        raise Unauthorized("the API key or access token is unknown, expired or revoked")
    checked, taken = found
    rates.enforce(request, taken)
    holder = checked.holder
    if isinstance(holder, ApiKey):
        return Principal(holder.organisation, checked.scopes, api_key=holder)
    return Principal(holder.organisation, checked.scopes, client=holder)


def _principal_of_session(request: HttpRequest) -> Principal:
    membership = getattr(request, "membership", None)
    if membership is None:
        raise Unauthorized("send an API key as 'Authorization: Bearer <key>', or sign in")
    if getattr(request, "must_enrol", False):
        raise Forbidden("set up two-factor sign-in first: on the page Account")
    if request.method not in ("GET", "HEAD", "OPTIONS") and check_csrf(request) is not None:
        raise Forbidden("the CSRF token is missing or wrong")
    rates.enforce(request, rates.take(rates.quota("person", membership.user_id)))
    return Principal(membership.organisation, ROLE_SCOPES[membership.role], user=membership.user)


class ScopeAuth(AuthBase):
    """django-ninja's authentication for one scope. Raises instead of returning None, so that the answer says why."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_name = "ApiKey"

    def __init__(self, scope: str) -> None:
        if scope not in SCOPES:
            raise ValueError(f"unknown scope {scope}")
        self.scope = scope
        super().__init__()

    def __call__(self, request: HttpRequest) -> Principal:
        principal = principal_of(request)
        act_as(principal.actor)
        principal.require(self.scope)
        return principal


def scope(name: str) -> list[Callable[[HttpRequest], Any]]:
    """The `auth=` of an endpoint: callers need the scope."""
    return [ScopeAuth(name)]


def tenant_page(
    scope: str | None = None,
) -> Callable[
    [Callable[Concatenate[PageRequest, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponseBase],
]:
    """A page for members: sign-in required, and the scope where one is given. The view reads `request.organisation`."""

    def decorate(
        view: Callable[Concatenate[PageRequest, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            membership = getattr(request, "membership", None)
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if getattr(request, "must_enrol", False):
                return redirect("mfa_index")
            if membership is None and request.user.is_staff:
                return redirect("operator:index")  # an operator begins by adding an organisation
            if membership is None:
                raise Forbidden("your account belongs to no organisation; ask an administrator to invite you")
            if scope and scope not in ROLE_SCOPES[membership.role]:
                raise Forbidden(
                    f"your role may not {SCOPES[scope][0].lower()}{SCOPES[scope][1:]}; an administrator can change that"
                )
            act_as(Actor("person", str(membership.user_id)))
            return view(cast(PageRequest, request), *args, **kwargs)

        wrapped.tenant_scope = scope or ""  # type: ignore[attr-defined]  # the test that walks every page reads it
        return wrapped

    return decorate
