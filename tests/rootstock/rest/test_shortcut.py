"""A program's request takes the short way, and gets what the long way would give."""

import pytest
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.test import Client

from rootstock.accounts.middleware import OrganisationMiddleware


@pytest.fixture
def page_middleware_breaks(monkeypatch):
    """Whoever comes past the shortcut fails."""

    def fail(*args):
        raise AssertionError("the long way")

    monkeypatch.setattr(SessionMiddleware, "process_request", fail)
    monkeypatch.setattr(OrganisationMiddleware, "__call__", fail)


def test_a_key_skips_what_serves_browsers(world, page_middleware_breaks) -> None:
    answer = world.api("jobs:read").get("/jobs")
    assert answer.status_code == 200
    assert int(answer["Content-Length"]) == len(answer.content)
    assert answer["X-Request-Id"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer


def test_a_session_takes_the_long_way(world, page_middleware_breaks) -> None:
    with pytest.raises(AssertionError, match="the long way"):
        world.browser(world.owner).get("/api/v1/jobs")


def test_a_page_takes_the_long_way_whatever_it_carries(world, page_middleware_breaks) -> None:
    with pytest.raises(AssertionError, match="the long way"):
        Client(headers={"authorization": "Bearer x"}).get("/")


def test_a_session_beside_a_key_counts_for_nothing(world) -> None:
    client = world.browser(world.owner)
    assert client.get("/api/v1/jobs", headers={"authorization": "Bearer wrong"}).status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/nothing", "/api/v1/jobs/not-a-uuid"])
def test_what_is_not_there_is_explained(world, path) -> None:
    answer = Client().get(path, headers={"authorization": f"Bearer {world.key('jobs:read')}"})
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_a_method_that_is_not_there_is_explained(world) -> None:
    answer = world.api("jobs:read").post("/jobs", {})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET"


def test_the_shortcut_stands_before_what_serves_browsers() -> None:
    names = settings.MIDDLEWARE
    at = names.index("rootstock.shortcut.ProgramShortcutMiddleware")
    assert set(names[:at]) == {
        "rootstock.middleware.RequestIdMiddleware",
        "rootstock.access.AccessMiddleware",
        "rootstock.middleware.NoStoreMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "rootstock.edge.ApiEdgeMiddleware",
    }
