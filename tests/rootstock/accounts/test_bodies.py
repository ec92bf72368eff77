"""What is sent to change people, keys and settings: every wrong field is named, and none is ignored."""

from typing import Any

import pytest

from rootstock.accounts.models import ApiKey
from rootstock.accounts.tenancy import tenant
from tests.fixtures.world import Api

NOBODY = "00000000-0000-7000-8000-000000000000"
KEY = {"name": "k", "scopes": ["jobs:read"]}


@pytest.fixture
def api(world) -> Api:
    return world.api("keys:write", "people:write", "settings:write", "jobs:read")


def fields(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.content
    return [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/keys", KEY | {"expire_at": "2090-01-01T00:00:00Z"}),
        ("post", f"/keys/{NOBODY}/rotate", {"expire_at": "2090-01-01T00:00:00Z"}),
        ("post", "/clients", KEY | {"expires_at": "2090-01-01T00:00:00Z"}),
        ("post", f"/clients/{NOBODY}/rotate", {"until": "2090-01-01T00:00:00Z"}),
        ("post", "/invitations", {"email": "a@example.com", "role": "auditor", "mail": False}),
        ("patch", f"/people/{NOBODY}", {"role": "auditor", "bogus": 1}),
        ("patch", "/organisation", {"bogus": 1}),
    ],
)
def test_a_field_that_is_not_known_is_refused(api, method, path, body) -> None:
    [field] = fields(getattr(api, method)(path, body))
    assert field.rpartition(".")[2] in body


@pytest.mark.parametrize("moment", ["2020-01-01T00:00:00Z", "2090-01-01T00:00:00"])
def test_a_key_ends_in_the_future_and_in_a_time_zone(world, api, moment) -> None:
    with tenant(world.organisation):
        before = ApiKey.objects.count()
    assert fields(api.post("/keys", KEY | {"expires_at": moment})) == ["expires_at"]
    with tenant(world.organisation):
        assert ApiKey.objects.count() == before


@pytest.mark.parametrize(
    ("path", "body", "wrong"),
    [
        (
            "/keys",
            {"name": " ", "scopes": [], "expires_at": "2020-01-01T00:00:00Z", "rate_per_minute": 0},
            ["name", "scopes", "expires_at", "rate_per_minute"],
        ),
        (
            "/clients",
            {"name": "", "scopes": ["x"], "rate_per_minute": 0},
            ["name", "scopes", "rate_per_minute"],
        ),
        ("/invitations", {"email": "nobody", "role": "king"}, ["email", "role"]),
    ],
)
def test_every_wrong_field_is_named(api, path, body, wrong) -> None:
    assert fields(api.post(path, body)) == wrong


def test_every_wrong_setting_is_named(api) -> None:
    assert fields(api.patch("/organisation", {"name": " ", "session_hours": 0})) == ["name", "session_hours"]
