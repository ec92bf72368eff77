"""Every page and every route of the API asks who is there, for the right scope, and knows no other organisation.

The lists below are complete: a new route is walked as soon as it is registered, and one that asks for nothing has to
be named here.
"""

import re
from dataclasses import dataclass

import pytest
from django.test import Client
from django.urls import get_resolver

from rootstock.accounts.actors import Actor
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.api import api, openai
from rootstock.ids import uuid7
from tests.fixtures.world import Api

# Pages that have no organisation: before signing in, and of the person alone (those are allauth's under /account/).
OPEN_PAGES = {
    *("healthz", "readyz", "metrics", "login/", "logout/", "join/<str:token>/"),
    *("oauth/token", "oauth/revoke", ".well-known/oauth-authorization-server"),
}
OPEN_OPERATIONS = {
    ("GET", "/api/v1/organisation/caller")
}  # whoever has valid credentials may ask whose they are
OWN_PREFIXES = ("account/", "operator/", "api/", "v1/")
REFUSED = {400, 403, 404, 405, 409, 413, 415, 422}


@dataclass(frozen=True)
class Route:
    """A page or an operation; `scope` None when it asks for nothing, empty when for a membership alone."""

    method: str
    path: str
    scope: str | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def pages(patterns, prefix="") -> list[Route]:
    found = []
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            found += [] if route.startswith(OWN_PREFIXES) else pages(pattern.url_patterns, route)
        elif not route.startswith(OWN_PREFIXES):
            found.append(Route("GET", route, getattr(pattern.callback, "tenant_scope", None)))
    return found


def operations() -> list[Route]:
    return [
        Route(
            method,
            "/".join([root, *filter(None, [prefix.strip("/")])]) + path,
            next((getattr(a, "scope", None) for a in op.auth_callbacks or []), None),
        )
        for root, served in (("/api/v1", api), ("/v1", openai))
        for prefix, router in served._routers
        for path, view in router.path_operations.items()
        for op in view.operations
        for method in op.methods
    ]


PAGES = [route for route in pages(get_resolver().url_patterns) if route.path not in OPEN_PAGES]
OPERATIONS = [route for route in operations() if (route.method, route.path) not in OPEN_OPERATIONS]


def filled(path: str, ids: dict) -> str:
    """The path with its parameters given: a thing of the first organisation where one is at hand."""

    def value(match: re.Match) -> str:
        kind, _, name = match.group(1).rpartition(":")
        if "uuid" in kind or name.endswith("_id"):
            return str(ids.get(name) or uuid7())
        return "1" if kind == "int" else "x"

    return re.sub(r"[<{]([^>}]+)[>}]", value, path)


def ask(client, method: str, path: str):
    """The request; of a page that only takes POST, that."""
    send = getattr(client, method.lower())
    body = {} if method in ("GET", "HEAD") else {"data": "{}", "content_type": "application/json"}
    answer = send(path, **body)
    return client.post(path) if method == "GET" and answer.status_code == 405 else answer


@pytest.fixture
def ids(world, services):
    """Things of the first organisation, by the names that routes give them."""
    from rootstock.accounts.models import Membership
    from rootstock.accounts.services import api_key_create, client_create, invitation_create
    from rootstock.accounts.tenancy import tenant
    from rootstock.jobs.services import job_create

    organisation = world.organisation
    key, _ = api_key_create(organisation=organisation, name="k", scopes=["jobs:read"])
    client, _ = client_create(organisation=organisation, name="c", scopes=["jobs:read"])
    invitation, _ = invitation_create(organisation=organisation, email="a@example.org", role="auditor")
    with tenant(organisation):
        member = Membership.objects.get(user=world.colleague)
    job = job_create(organisation=organisation, kind="adapters.train", params={})
    return {
        "key_id": key.pk,
        "client_id": client.pk,
        "machine_id": client.pk,
        "invitation_id": invitation.pk,
        "membership_id": member.pk,
        "member_id": member.pk,
        "job_id": job.pk,
    }


def test_no_page_asks_for_nothing() -> None:
    assert [str(route) for route in PAGES if route.scope is None] == []
    assert len(PAGES) > 30


def test_no_operation_asks_for_nothing() -> None:
    assert [str(route) for route in OPERATIONS if not route.scope] == []
    assert len(OPERATIONS) > 30


def test_anonymous_callers_are_sent_away(world, ids) -> None:
    client = Client(raise_request_exception=False)
    for route in PAGES:
        answer = ask(client, route.method, f"/{filled(route.path, ids)}")
        assert (answer.status_code, answer.get("Location", "")[:7]) == (302, "/login/"), route
    for route in OPERATIONS:
        assert ask(client, route.method, filled(route.path, ids)).status_code == 401, route


@pytest.mark.slow
def test_whoever_belongs_to_no_organisation_sees_nothing(world, ids) -> None:
    from rootstock.accounts.services import user_create

    client = world.browser(
        user_create(username=f"nobody-{world.organisation.slug}", password="a-long-one-12")
    )
    for route in PAGES:
        assert ask(client, route.method, f"/{filled(route.path, ids)}").status_code == 403, route


@pytest.mark.slow
def test_a_role_without_the_scope_is_refused_on_pages(world, ids) -> None:
    """Every role for every scope, and one for every page."""
    clients = {role: world.browser(world.person(role)) for role in ROLE_SCOPES}
    scopes = set()
    for route in PAGES:
        lacking = list(world.roles_without(route.scope)) if route.scope else []
        for role in lacking[: 1 if route.scope in scopes else None]:
            answer = ask(clients[role], route.method, f"/{filled(route.path, ids)}")
            assert answer.status_code == 403, f"{route}: {role}"
        scopes.add(route.scope)


def test_a_key_without_the_scope_is_refused(world, ids) -> None:
    for route in OPERATIONS:
        lacking = world.key("files:read" if route.scope != "files:read" else "jobs:read")
        answer = ask(Api(lacking)._client, route.method, filled(route.path, ids))
        assert answer.status_code == 403, route
        assert route.method == "HEAD" or route.scope in answer.json()["detail"], route


def test_a_role_without_the_scope_is_refused_by_the_api(world, ids) -> None:
    clients = {role: world.browser(world.person(role)) for role in ROLE_SCOPES}
    for route in OPERATIONS:
        role = next(iter(world.roles_without(route.scope)), None)
        if role:
            answer = ask(clients[role], route.method, filled(route.path, ids))
            assert answer.status_code == 403, f"{route}: {role}"


@pytest.mark.slow
def test_to_another_organisation_things_do_not_exist(world, ids) -> None:
    stranger = world.browser(world.stranger)  # an administrator, of the other organisation
    for route in (route for route in PAGES if "uuid:" in route.path):
        answer = ask(stranger, route.method, f"/{filled(route.path, ids)}")
        assert answer.status_code in REFUSED, f"{route}: {answer.status_code}"
    for route in (route for route in OPERATIONS if "{" in route.path):
        caller = Api(world.key(route.scope, organisation=world.other))._client
        answer = ask(caller, route.method, filled(route.path, ids))
        assert answer.status_code in REFUSED, f"{route}: {answer.status_code}"
        named = next(
            (name for name in ids if f":{name}}}" in route.path or f"{{{name}}}" in route.path), None
        )
        if named and route.method in ("GET", "DELETE"):
            assert answer.status_code == 404, f"{route}: {answer.status_code}"


def test_a_client_acts_as_a_client() -> None:
    from rootstock.accounts.auth import Principal
    from rootstock.accounts.models import MachineClient, Organisation

    machine = MachineClient(name="c")
    caller = Principal(Organisation(), frozenset({"jobs:read"}), client=machine)
    assert caller.actor == Actor("client", str(machine.pk))
    assert caller.granted == {"jobs:read"}
