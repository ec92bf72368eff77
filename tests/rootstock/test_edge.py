"""What the API refuses before an endpoint sees it, always as problem+json."""

import json
from uuid import UUID

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DataError
from django.test import Client
from django.test.client import FakePayload

ALL = (
    "support:read",
    "support:write",
    "fraud:read",
    "fraud:write",
    "ehr:write",
    "jobs:read",
    "adapters:write",
)
NOBODY = (
    "00000000-0000-7000-8000-000000000000"  # the same in every pytest process: it is part of a test's name
)
BAD = ["a\x00b", "a\ud800b"]
PAYMENT = {
    "external_id": "p1",
    "payer": "A",
    "payee": "B",
    "amount": "1.00",
    "channel": "card",
    "occurred_at": "2026-01-01T00:00:00Z",
}
POSTS = ["/support/conversations", "/fraud/transactions", "/fraud/batches", "/ehr/bundles", "/adapters/train"]


@pytest.fixture
def api(world):
    return world.api(*ALL)


def is_problem(answer, status, code):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == code
    return [found["field"] for found in answer.json().get("errors", [])]


def patch(api, path, body):
    return api._client.patch(f"/api/v1{path}", json.dumps(body), content_type="application/json")


def bundle(text):
    resource = {"resourceType": "Patient", "id": "p", "name": [{"family": text}]}
    return {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": resource}]}


@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/support/conversations", lambda text: {"subject": text}, "subject"),
        (f"/support/conversations/{NOBODY}/messages", lambda text: {"text": text}, "text"),
        ("/fraud/transactions", lambda text: PAYMENT | {"payer": text}, "payer"),
        ("/fraud/transactions", lambda text: [PAYMENT, PAYMENT | {"payee": text}], "transactions.1.payee"),
        (
            "/fraud/batches",
            lambda text: {"transactions": [PAYMENT | {"payer": text}]},
            "transactions.0.payer",
        ),
        ("/ehr/bundles", bundle, "entry[0].resource.name[0].family"),
        ("/ehr/bundles", lambda text: bundle("x") | {"meta": {text: 1}}, "meta"),
    ],
)
def test_strings_that_cannot_be_stored_are_named(api, path, body, field, text) -> None:
    assert is_problem(api.post(path, body(text)), 422, "invalid_input") == [field]


@pytest.mark.parametrize("text", BAD)
def test_strings_of_a_patch_too(api, text) -> None:
    assert is_problem(patch(api, "/support/desk", {"name": text}), 422, "invalid_input") == ["name"]


@pytest.mark.parametrize(("path", "field"), [("/support/conversations", "search"), ("/jobs", "kind")])
def test_query_values_too(api, path, field) -> None:
    assert is_problem(api.get(path, **{field: "\x00"}), 422, "invalid_input") == [field]


def test_form_values_too(api) -> None:
    assert is_problem(api.upload("/datasets", name="a\x00"), 422, "invalid_input") == ["name"]


def test_whole_surrogate_pairs_are_text(api) -> None:
    assert api.post("/support/conversations", {"subject": "😀"}).json()["subject"] == "😀"


def test_a_page_with_a_nul_in_its_address_is_a_bad_request(world) -> None:
    client = world.browser(world.owner)
    client.raise_request_exception = False
    answer = client.get("/support/", {"search": "\x00"})
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("text/html")


def test_what_the_database_cannot_hold_is_the_callers_fault(api, monkeypatch) -> None:
    def refuse(**_):
        raise DataError("value 'secret' out of range")

    monkeypatch.setattr("rootstock.jobs.selectors.jobs_page", refuse)
    answer = api.get("/jobs")
    is_problem(answer, 422, "invalid_input")
    assert b"secret" not in answer.content


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b'{"a": -1e999}'])
def test_malformed_json_has_one_form(api, path, raw) -> None:
    assert is_problem(api.post(path, raw), 400, "bad_request") == ["body"]


@pytest.mark.parametrize(
    ("path", "form", "field"),
    [
        ("/fraud/transactions", '{"amount": %s}', "amount"),
        ("/fraud/transactions", '[{}, {"amount": [1, -%s]}]', "transactions.1.amount.1"),
        ("/fraud/batches", '{"transactions": [{"payer": %s}]}', "transactions.0.payer"),
        ("/ehr/bundles", '{"entry": [{"a": %s}]}', "entry[0].a"),
        ("/support/conversations", "%s", "body"),
    ],
)
def test_whole_numbers_without_end_are_named(api, path, form, field) -> None:
    answer = api.post(path, (form % ("9" * 5000)).encode())
    assert is_problem(answer, 422, "invalid_input") == [field]
    assert answer.json()["detail"] == f"{field}: has too many digits"


@pytest.mark.parametrize(
    ("path", "raw", "field"),
    [
        ("/fraud/transactions", '{"amount": "1.00", "amount": "9000.00"}', "amount"),
        ("/fraud/transactions", '[{}, {"payer": "a", "p\\u0061yer": "a"}]', "transactions.1.payer"),
        ("/fraud/batches", '{"transactions": [{"a": {"b": 1, "b": {}}}]}', "transactions.0.a.b"),
        ("/fraud/labels", '{"fraud": true, "fraud": false, "note": 9}', "fraud"),
        ("/ehr/bundles", '{"entry": [{"a": 1, "a": 2}]}', "entry[0].a"),
        ("/support/conversations", '{"": 1, "": 2}', "body"),
    ],
)
def test_what_is_said_twice_is_named(api, path, raw, field) -> None:
    answer = api.post(path, raw.encode())
    assert is_problem(answer, 422, "invalid_input") == [field]
    assert answer.json()["detail"] == f"{field}: is said twice"


@pytest.mark.parametrize("path", [path for path in POSTS if path != "/ehr/bundles"])  # which misses its type
@pytest.mark.parametrize("body", [3, "x", None, True, 1.5])
def test_a_body_of_another_type_is_called_body(api, path, body) -> None:
    answer = api.post(path, json.dumps(body).encode())
    assert is_problem(answer, 422, "invalid_input") == ["body"]


@pytest.mark.parametrize("path", [*POSTS, "/datasets"])
def test_bodies_over_the_limit_are_too_large(api, path) -> None:
    is_problem(api.post(path, b" " * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)), 413, "too_large")


class Unread(FakePayload):
    """A body that nobody may look at."""

    def read(self, *args):
        raise AssertionError("the body was read")


def send(client, path, length):
    sent = {"CONTENT_LENGTH": str(length), "wsgi.input": Unread(b"")}
    return client.generic("POST", path, content_type="multipart/form-data; boundary=x", **sent)


@pytest.mark.parametrize("path", ["/login/", "/files/", "/join/x/", "/nowhere/"])
def test_pages_take_no_large_body_from_anybody(db, path) -> None:
    answer = send(Client(), path, settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    assert answer.status_code == 413
    assert "bytes are taken" in answer.text
    assert answer["X-Frame-Options"]
    assert answer["Content-Security-Policy"]


def test_a_program_is_told_in_json(db) -> None:
    client = Client(headers={"accept": "application/json"})
    is_problem(send(client, "/oauth/token", settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1), 413, "too_large")


def test_who_is_signed_in_posts_larger_files_to_their_page_alone(world, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 300
    form = {"purpose": "dataset", "file": SimpleUploadedFile("a.csv", b"a,b\n1,2\n" * 100)}
    browser = world.browser(world.owner)
    assert browser.post("/files/", form).status_code in (200, 302)
    form["file"].seek(0)
    assert browser.post("/account/", form).status_code == 413
    assert send(browser, "/files/", settings.FILE_MAX_BYTES * 2).status_code == 413


def test_too_large_without_a_length_is_the_same(api, monkeypatch) -> None:
    monkeypatch.setattr("rootstock.edge._length", lambda request: 0)
    body = b" " * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    is_problem(api.post("/support/conversations", body), 413, "too_large")
    is_problem(api.post("/fraud/transactions", body), 413, "too_large")


@pytest.mark.parametrize(
    ("path", "allowed"), [("/support/desk", {"GET", "PATCH"}), ("/ehr/bundles", {"POST"})]
)
def test_methods_that_are_not_there(api, path, allowed) -> None:
    answer = api._client.delete(f"/api/v1{path}")
    is_problem(answer, 405, "method_not_allowed")
    assert {name.strip() for name in answer["Allow"].split(",")} == allowed


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/support/nothing/here", "/api/v2/"])
def test_addresses_that_are_not_there(path, db) -> None:
    is_problem(Client().get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "text/html"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("image/png", "text/html"),
        ("application/json", "application/problem+json"),
        ("application/json, text/plain, */*;q=0.1", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        ("text/event-stream", "application/problem+json"),
    ],
)
def test_a_page_answers_a_program_only_if_it_asks_for_json(world, accept, kind) -> None:
    client = world.browser(world.colleague)
    answer = client.get(f"/jobs/{UUID(int=7)}/", headers={"accept": accept})
    assert answer.status_code == 404
    assert answer["Content-Type"].split(";")[0] == kind
