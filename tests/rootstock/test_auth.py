"""Who may call: keys, sessions, scopes."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from rootstock.accounts.models import ApiKey
from rootstock.accounts.roles import ROLE_SCOPES, SCOPES
from rootstock.accounts.services import api_key_create, api_key_revoke, user_create
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput
from tests.fixtures.world import Api


def jobs(token: str):
    return Api(token).get("/jobs")


def test_a_key_works(world) -> None:
    assert jobs(world.key("jobs:read")).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "rsk_000000000000_" + "a" * 43, "rsk_%_x", "é" * 20])
def test_bad_keys_are_refused(world, token) -> None:
    answer = Client(raise_request_exception=False).get(
        "/api/v1/jobs", headers={"authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_the_token_is_stored_as_a_hash_only(world) -> None:
    token = world.key("jobs:read")
    with tenant(world.organisation):
        key = ApiKey.objects.get()
    assert token not in str(vars(key))
    assert token.split("_")[1] == key.prefix


def test_a_wrong_secret_with_a_right_prefix_is_refused(world) -> None:
    token = world.key("jobs:read")
    assert jobs(token[:-1] + ("a" if token[-1] != "a" else "b")).status_code == 401


def test_an_expired_key_is_refused(world) -> None:
    token = world.key("jobs:read")
    with tenant(world.organisation):
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert jobs(token).status_code == 401


def test_a_revoked_key_is_refused(world) -> None:
    key, token = api_key_create(organisation=world.organisation, name="k", scopes=["jobs:read"])
    api_key_revoke(organisation=world.organisation, key_id=key.pk)
    assert jobs(token).status_code == 401


def test_a_missing_scope_is_named(world) -> None:
    answer = jobs(world.key("fraud:read"))
    assert answer.status_code == 403
    assert "jobs:read" in answer.json()["detail"]


@pytest.mark.parametrize("scopes", [[], ["nope:read"]])
def test_unknown_scopes_are_refused(world, scopes) -> None:
    with pytest.raises(InvalidInput, match="scopes"):
        api_key_create(organisation=world.organisation, name="k", scopes=scopes)


def test_a_session_works_for_reading(world) -> None:
    assert world.browser(world.owner).get("/api/v1/jobs").status_code == 200


def test_a_session_needs_the_csrf_token_for_writing(world) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.owner)
    answer = client.post(f"/api/v1/jobs/{world.owner.pk:032d}/cancel")
    assert answer.status_code in (403, 404)
    answer = client.post("/api/v1/jobs/00000000-0000-7000-8000-000000000000/cancel")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]


def test_a_role_limits_a_session(world) -> None:
    client = world.browser(world.colleague)
    assert client.get("/api/v1/jobs").status_code == 200
    answer = client.post("/api/v1/jobs/00000000-0000-7000-8000-000000000000/cancel")
    assert answer.status_code == 403


def test_nobody_is_told_to_sign_in(db) -> None:
    assert Client().get("/api/v1/jobs").status_code == 401


def test_roles_use_known_scopes() -> None:
    assert set().union(*ROLE_SCOPES.values()) <= set(SCOPES)


def test_weak_passwords_are_refused(db) -> None:
    with pytest.raises(InvalidInput, match="password"):
        user_create(username="someone", password="12345")


def test_answers_carry_the_request_id(world) -> None:
    answer = Client().get("/api/v1/jobs", headers={"x-request-id": "trace-12345"})
    assert answer["X-Request-Id"] == answer.json()["request_id"] == "trace-12345"
    assert Client().get("/api/v1/jobs", headers={"x-request-id": "bad id\n"})["X-Request-Id"] != "bad id"
