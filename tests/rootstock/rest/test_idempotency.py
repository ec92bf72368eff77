"""Idempotency keys on every endpoint that changes something."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from apps.support.models import Conversation
from rootstock.accounts.models import ApiKey
from rootstock.accounts.tenancy import tenant
from rootstock.idempotency import services
from rootstock.idempotency.models import IdempotentRequest
from tests.fixtures.world import Api

SCOPES = ("support:read", "support:write", "webhooks:read", "keys:read", "keys:write")
BODY = {"subject": "Jane Planted asks", "customer": "c-1"}


@pytest.fixture
def api(world) -> Api:
    """A caller who may open conversations."""
    return world.api(*SCOPES)


def open_one(api: Api, key: str, body=BODY):
    return api.post("/support/conversations", body, **{"idempotency-key": key})


def count(world) -> int:
    with tenant(world.organisation):
        return Conversation.objects.count()


def test_it_works(world, api) -> None:
    first, second = open_one(api, "k-1"), open_one(api, "k-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first["Content-Type"] == second["Content-Type"]
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert "RateLimit" in second
    assert count(world) == 1


def test_another_key_is_another_request(world, api) -> None:
    open_one(api, "k-1"), open_one(api, "k-2")
    assert count(world) == 2


@pytest.mark.parametrize("path", ["/support/conversations", "/support/conversations?"])
def test_other_content_is_refused(world, api, path) -> None:
    open_one(api, "k-1")
    answer = api.post(path, {**BODY, "customer": "c-2"}, **{"idempotency-key": "k-1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert count(world) == 1


def test_another_endpoint_is_other_content(world, api) -> None:
    made = open_one(api, "k-1").json()
    answer = api.post(f"/support/conversations/{made['id']}/close", BODY, **{"idempotency-key": "k-1"})
    assert answer.json()["code"] == "idempotency_key_reused"


def test_callers_and_organisations_do_not_share_keys(world, api) -> None:
    open_one(api, "k-1")
    stranger = world.api(*SCOPES, organisation=world.other)
    assert "Idempotent-Replayed" not in open_one(stranger, "k-1")
    colleague = world.api(*SCOPES, "jobs:read")
    assert "Idempotent-Replayed" not in open_one(colleague, "k-1")
    person = world.browser(world.owner)
    answer = person.post(
        "/api/v1/support/conversations", json.dumps(BODY), content_type="application/json",
        headers={"idempotency-key": "k-1"},
    )  # fmt: skip
    assert (answer.status_code, "Idempotent-Replayed" in answer) == (201, False)


def test_what_was_refused_may_be_mended_under_its_key(world, api) -> None:
    assert open_one(api, "k-1", {"subject": 5}).status_code == 422
    assert open_one(api, "k-1").status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_bad_keys_are_refused(world, api, key) -> None:
    answer = open_one(api, key)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_without_a_valid_api_key_nothing_is_replayed(world, api) -> None:
    open_one(api, "k-1")
    answer = open_one(Api("rsk_000000000000_" + "a" * 43), "k-1")
    assert answer.status_code == 401
    assert open_one(world.api("support:read"), "k-1").status_code == 403


def test_a_request_counts_once_against_the_rate(world, api) -> None:
    rest = [int(open_one(api, f"k-{n}")["RateLimit"].split("r=")[1].split(";")[0]) for n in range(3)]
    assert rest[0] - rest[2] <= 2


def test_the_answer_is_not_readable_in_the_database(world, api) -> None:
    open_one(api, "secret-key-of-jane")
    with tenant(world.organisation):
        row = IdempotentRequest.objects.get()
    stored = repr(vars(row)) + bytes(row.answer).decode(errors="replace")
    assert "Planted" not in stored
    assert "secret-key-of-jane" not in stored


def test_it_is_forgotten_after_a_day(world, api) -> None:
    open_one(api, "k-1")
    with tenant(world.organisation):
        IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert "Idempotent-Replayed" not in open_one(api, "k-1")
    assert count(world) == 2
    with tenant(world.organisation):
        IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert services.requests_purge() >= 1


def test_a_fault_leaves_neither_effect_nor_key(world, api, monkeypatch) -> None:
    from apps.support import api as support

    def broken(*args):
        raise ZeroDivisionError

    monkeypatch.setattr(support, "conversation_detail", broken)
    assert open_one(api, "k-1").status_code == 500
    assert count(world) == 0
    monkeypatch.undo()
    assert open_one(api, "k-1").status_code == 201
    assert count(world) == 1


def test_a_crash_before_the_answer_is_stored_leaves_no_effect(world, api, monkeypatch) -> None:
    class Killed(BaseException):
        """As if the process died here."""

    def die(*args):
        raise Killed

    monkeypatch.setattr(services, "answer_store", die)
    with pytest.raises(Killed), transaction.atomic():
        open_one(api, "k-1")
    monkeypatch.undo()
    assert count(world) == 0
    assert open_one(api, "k-1").status_code == 201


def test_while_the_first_works_the_second_is_told_to_wait(committed_world) -> None:
    world, began, go = committed_world, threading.Event(), threading.Event()
    token = world.key(*SCOPES)
    answers = []

    def first() -> None:
        wanted = services.asked(
            organisation=world.organisation.pk, caller=f"key:{ApiKeyOf(world, token)}", key="k-1", parts=[b""]
        )
        with tenant(world.organisation):
            services.request_lock(wanted)
            began.set()
            go.wait(10)
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    began.wait(10)
    answers.append(open_one(Api(token), "k-1"))
    go.set()
    thread.join()
    assert (answers[0].status_code, answers[0].json()["code"]) == (409, "request_in_flight")
    assert answers[0]["Retry-After"] == "1"
    assert open_one(Api(token), "k-1").status_code == 201


def ApiKeyOf(world, token: str) -> str:
    with tenant(world.organisation):
        return str(ApiKey.objects.get(prefix=token.split("_")[1]).pk)


def test_an_endpoint_that_claims_first_is_never_done_twice(world, api) -> None:
    made = open_one(api, "k-0").json()
    path = f"/support/conversations/{made['id']}/messages"
    wanted = services.asked(
        organisation=world.organisation.pk,
        caller=f"key:{ApiKeyOf(world, world.key(*SCOPES))}",
        key="k-1",
        parts=[b"POST", f"/api/v1{path}".encode(), json.dumps({"text": "hello"}).encode()],
    )
    with tenant(world.organisation):
        services.request_take(wanted)  # its process died before it answered
    answer = api.post(path, {"text": "hello"}, **{"idempotency-key": "k-1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "request_in_flight")
    with tenant(world.organisation):
        IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(minutes=3))
    answer = api.post(path, {"text": "hello"}, **{"idempotency-key": "k-1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "outcome_unknown")


def test_without_the_header_nothing_is_kept(world, api) -> None:
    api.post("/support/conversations", BODY)
    with tenant(world.organisation):
        assert not IdempotentRequest.objects.exists()


def test_reading_takes_no_notice(world, api) -> None:
    token = world.key(*SCOPES)
    headers = {"authorization": f"Bearer {token}", "idempotency-key": "k-1"}
    answer = Client().get("/api/v1/support/conversations", headers=headers)
    assert answer.status_code == 200
    with tenant(world.organisation):
        assert not IdempotentRequest.objects.exists()
