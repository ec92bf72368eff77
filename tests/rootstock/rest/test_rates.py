"""Rates and the quick check of keys, over a real Valkey."""

import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from rootstock import rates
from rootstock.accounts import verified
from rootstock.accounts.models import ApiKey
from rootstock.accounts.services import api_key_create, api_key_revoke
from rootstock.accounts.tenancy import tenant
from rootstock.resp import Lines
from tests.fixtures.world import Api


@pytest.fixture
def key(world):
    """A key and its token."""
    return api_key_create(organisation=world.organisation, name="k", scopes=["jobs:read"])


@pytest.fixture
def valkey_away(monkeypatch):
    """Nobody listens where the rates are counted."""
    nowhere = Lines("unix:///nowhere/valkey.sock", timeout_s=1.0)
    monkeypatch.setattr(rates, "_lines", lambda: nowhere)
    monkeypatch.setattr(rates._Breaker, "until", 0.0)
    yield
    rates._Breaker.until = 0.0


def change(key: ApiKey, **fields) -> None:
    with tenant(key.organisation_id):
        for name, value in fields.items():
            setattr(key, name, value)
        key.save(update_fields=list(fields))


def queries_of(token: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as caught:
        assert verified.token_verify(token) is not None
    return [found["sql"] for found in caught.captured_queries]


def test_a_known_key_costs_no_query(key) -> None:
    _, token = key
    verified.token_verify(token)  # makes the epoch
    verified.token_verify(token)  # remembers under it
    assert queries_of(token) == []


def test_headers_tell_quota_and_rest(key) -> None:
    answer = Api(key[1]).get("/jobs")
    assert answer["RateLimit-Policy"] == f'"key";q={settings.API_RATE_PER_MINUTE};w=60'
    assert answer["RateLimit"].startswith(f'"key";r={settings.API_RATE_PER_MINUTE - 1};t=')


def test_the_quota_is_enforced_and_comes_back(key) -> None:
    change(key[0], rate_per_minute=3)
    answers = [Api(key[1]).get("/jobs") for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    refused = answers[-1]
    assert refused["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "busy"
    assert 1 <= int(refused["Retry-After"]) <= 20
    assert refused["RateLimit"].startswith('"key";r=0;')


def test_the_quota_flows_back_evenly(services) -> None:
    wanted = rates.quota("key", f"test-{time.time()}", 1200)  # one every 50 ms
    taken = [rates.take(wanted) for _ in range(1300)]
    assert sum(t.allowed for t in taken) < 1300
    time.sleep(0.2)
    assert [rates.take(wanted).allowed for _ in range(3)] == [True] * 3


def test_zero_allows_any_number(services) -> None:
    wanted = rates.quota("key", f"test-{time.time()}", 0)
    assert all(rates.take(wanted).allowed for _ in range(50))


def test_a_session_has_a_quota_of_its_own(world) -> None:
    answer = world.browser(world.owner).get("/api/v1/jobs")
    assert answer["RateLimit"].startswith('"person";r=')


def test_who_is_refused_learns_the_policy(world) -> None:
    answer = Api("rsk_000000000000_" + "a" * 43).get("/jobs")
    assert (answer.status_code, "RateLimit-Policy" in answer, "RateLimit" in answer) == (401, True, False)


@pytest.mark.parametrize(
    "fields",
    [{"revoked_at": timezone.now()}, {"expires_at": timezone.now() - timedelta(seconds=1)}],
    ids=["revoked", "expired"],
)
def test_a_change_of_a_remembered_key_holds_at_once(key, fields) -> None:
    row, token = key
    for _ in range(3):
        assert Api(token).get("/jobs").status_code == 200
    change(row, **fields)
    assert Api(token).get("/jobs").status_code == 401


def test_revocation_reaches_every_process(key, world, monkeypatch) -> None:
    row, token = key
    here: dict = {}
    monkeypatch.setattr(verified, "_known", here)
    for _ in range(3):
        verified.token_verify(token)
    elsewhere = dict(here)  # another process remembers the same
    assert elsewhere
    api_key_revoke(organisation=world.organisation, key_id=row.pk)
    monkeypatch.setattr(verified, "_known", elsewhere)
    assert verified.token_verify(token) is None


def test_a_remembered_key_expires_on_time(key) -> None:
    row, token = key
    for _ in range(3):
        verified.token_verify(token)
    with tenant(row.organisation_id):
        ApiKey.objects.filter(pk=row.pk).update(expires_at=timezone.now() + timedelta(seconds=0.3))
    verified.api_key_changed(row)
    for _ in range(2):
        assert verified.token_verify(token)
    time.sleep(0.4)
    assert verified.token_verify(token) is None


def test_scopes_change_at_once(key) -> None:
    row, token = key
    for _ in range(3):
        assert Api(token).get("/jobs").status_code == 200
    change(row, scopes=["fraud:read"])
    assert Api(token).get("/jobs").status_code == 403


def test_without_valkey_the_database_decides_and_nobody_is_limited(key, world, valkey_away, caplog) -> None:
    row, token = key
    change(row, rate_per_minute=1)
    answers = [Api(token).get("/jobs") for _ in range(3)]
    assert [a.status_code for a in answers] == [200] * 3
    assert "rates are not limited" in caplog.text
    api_key_revoke(organisation=world.organisation, key_id=row.pk)
    assert Api(token).get("/jobs").status_code == 401


def test_a_remembered_key_is_checked_anew_without_valkey(key, world, request) -> None:
    row, token = key
    for _ in range(3):
        verified.token_verify(token)
    request.getfixturevalue("valkey_away")
    with tenant(row.organisation_id):
        ApiKey.objects.filter(pk=row.pk).update(revoked_at=timezone.now())
    assert verified.token_verify(token) is None


def test_its_last_use_is_noted_about_once_a_minute(key, monkeypatch) -> None:
    row, token = key
    for _ in range(2):
        verified.token_verify(token)
    with tenant(row.organisation_id):
        ApiKey.objects.filter(pk=row.pk).update(last_used_at=None)
    verified.token_verify(token)
    with tenant(row.organisation_id):
        assert ApiKey.objects.get(pk=row.pk).last_used_at is None
        monkeypatch.setattr(verified, "_USED_EVERY_S", 0.0)
    verified.token_verify(token)
    with tenant(row.organisation_id):
        assert ApiKey.objects.get(pk=row.pk).last_used_at is not None


def test_the_memory_is_bounded(key, monkeypatch) -> None:
    monkeypatch.setattr(verified, "_MOST", 2)
    monkeypatch.setattr(verified, "_known", {"a": 1, "b": 2, "c": 3})
    for _ in range(2):
        verified.token_verify(key[1])
    assert len(verified._known) == 2
