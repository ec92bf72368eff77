"""What holds for every endpoint."""

from datetime import date

import pytest
from django.test import RequestFactory
from ninja import NinjaAPI, Router

from apps.support.services import conversation_start
from rootstock.api import api
from rootstock.conventions import deprecated, establish, query_names


def operations():
    return [
        (f"/{bound.prefix}{path}", operation)
        for bound in api._get_bound_routers()
        for path, view in bound.path_operations.items()
        for operation in view.operations
    ]


@pytest.fixture
def conversations(world) -> None:
    """Three conversations."""
    for number in range(3):
        conversation_start(organisation=world.organisation, subject=f"s{number}", customer="")


def test_a_list_links_to_its_next_page(world, conversations) -> None:
    client = world.api("support:read")
    seen, answer = [], client.get("/support/conversations", limit=2, state="open")
    seen += answer.json()["items"]
    assert answer["Link"].startswith("</api/v1/support/conversations?limit=2&state=open&cursor=")
    assert answer["Link"].endswith('>; rel="next"')
    following = answer["Link"].split(">")[0][len("</api/v1") :]
    answer = client.get(following)
    seen += answer.json()["items"]
    assert "Link" not in answer
    assert len({each["id"] for each in seen}) == 3


@pytest.mark.parametrize(
    ("path", "name"),
    [("/jobs?stat=running", "stat"), ("/support/desk?x=1", "x"), ("/jobs?state=queued&a%5D=1", "a]")],
)
def test_an_unknown_parameter_is_refused_by_name(world, path, name) -> None:
    answer = world.api("jobs:read", "support:read").get(path)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, name)
    assert "Traceback" not in answer.content.decode()


def test_the_known_ones_are_told(world) -> None:
    assert "cursor" in world.api("jobs:read").get("/jobs?nope=1").json()["detail"]


def pages(operation) -> list[str]:
    models = [model for model in operation.response_models.values() if isinstance(model, type)]
    return [text for text in (str(model.model_fields) for model in models) if "Page" in text]


@pytest.mark.parametrize(("path", "operation"), operations(), ids=[path for path, _ in operations()])
def test_every_list_has_a_cursor_and_a_type(path, operation) -> None:
    names = query_names(operation)
    assert "limit" in names or "cursor" not in names
    for page in pages(operation):
        assert "Page[" in page, f"{path}: of what are these pages?"
        assert {"cursor", "limit"} <= names


def test_json_is_read_from_bodies_that_do_not_deny_it(world) -> None:
    client = world.api("support:read", "support:write")
    path, sent = "/support/conversations", {"subject": "A question"}
    refused = client.post(path, sent, kind="text/plain")
    assert refused.status_code == 415
    assert refused.json()["errors"] == [{"field": "Content-Type", "reason": "must be application/json"}]
    for kind in ("application/json", "application/json; charset=utf-8", "application/vnd.desk+json"):
        assert client.post(path, sent, kind=kind).status_code == 201


def test_only_operations_that_read_json_or_xml_refuse_other_types(world) -> None:
    told = world.api("jobs:read").get("/openapi.json").json()["paths"]
    taking = {
        (path, method): set(each["requestBody"]["content"])
        for path, methods in told.items()
        for method, each in methods.items()
        if "requestBody" in each
    }
    assert {"multipart/form-data", "application/xml"} < set().union(*taking.values())
    for (path, method), types in taking.items():
        refuses = "415" in told[path][method]["responses"]
        assert refuses == bool({"application/json", "application/xml"} & types), (method, path)


def test_a_deprecated_endpoint_says_so() -> None:
    trial, router = NinjaAPI(urls_namespace="trial-of-deprecation"), Router()

    @router.get("/old")
    @deprecated(since=date(2026, 1, 1), sunset=date(2026, 12, 31), link="/docs/old")
    def old(request) -> dict[str, bool]:
        return {"works": True}

    establish(trial)
    trial.add_router("", router)
    [bound] = [each for each in trial._get_bound_routers() if each.path_operations]
    answer = bound.path_operations["/old"].operations[0].run(RequestFactory().get("/old"))
    assert answer.status_code == 200
    assert answer["Deprecation"] == "@1767225600"
    assert answer["Sunset"] == "Thu, 31 Dec 2026 00:00:00 GMT"
    assert answer["Link"] == '</docs/old>; rel="deprecation"'
