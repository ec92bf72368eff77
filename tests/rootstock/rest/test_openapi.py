"""The OpenAPI document is complete, and the API does what it says."""

import json

import jsonschema_rs
import pytest
from django.test import Client
from ninja import Schema

from rootstock.accounts.roles import SCOPES


@pytest.fixture(scope="module")
def document():
    """As it is served."""
    return json.loads(Client().get("/api/v1/openapi.json").content)


def operations(document):
    return [
        (f"{method} {path}", each)
        for path, methods in document["paths"].items()
        for method, each in methods.items()
    ]


def test_it_is_valid(document) -> None:
    import schemathesis

    schemathesis.openapi.from_dict(document).validate()


def test_every_operation_is_told(document) -> None:
    for name, each in operations(document):
        assert each.get("summary"), name
        assert each.get("description"), name
        assert each["tags"], name
        wrong_field = set() if " /v1/" in name else {"422"}  # OpenAI's clients know 400 for it
        assert {"400", "401", "429", "503", *wrong_field} <= set(each["responses"]), name
    assert len({each["summary"] for _, each in operations(document)}) > len(operations(document)) * 0.9


def test_tags_and_schemes_are_told(document) -> None:
    assert all(tag["description"] != tag["name"] for tag in document["tags"])
    schemes = document["components"]["securitySchemes"]
    assert set(schemes) == {"ApiKey", "OAuth2", "Session"}
    assert schemes["OAuth2"]["flows"]["clientCredentials"]["scopes"] == dict(SCOPES)
    guarded = [each for _, each in operations(document) if "security" in each]
    assert len(guarded) > 30
    assert any(each["security"][1]["OAuth2"] == ["jobs:read"] for each in guarded)


@pytest.mark.slow
def test_every_body_and_answer_has_an_example_that_fits(document) -> None:
    for name, each in operations(document):
        contents = list(each.get("requestBody", {}).get("content", {}).values())
        for response in each["responses"].values():
            contents += response.get("content", {}).values()
        for content in contents:
            if "schema" not in content:
                continue
            assert "example" in content or "examples" in content, name
            schema = {**content["schema"], "components": document["components"]}
            if "example" in content:
                jsonschema_rs.validate(schema, content["example"])


def test_changes_take_an_idempotency_key(document) -> None:
    for name, each in operations(document):
        named = [parameter["name"] for parameter in each["parameters"]]
        reads = name.startswith(("get ", "head ", "options "))
        assert named.count("Idempotency-Key") == (0 if reads else 1), name


def test_no_two_schemas_share_a_name(document) -> None:
    """The document would show one of them in the place of the other."""
    places: dict[str, set[str]] = {}
    waiting = [Schema]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith(("rootstock.", "apps.")):
                places.setdefault(kind.__name__, set()).add(kind.__module__)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_examples_say_what_could_be(document) -> None:
    """No field's example is its own name."""
    filler = set()

    def look(value) -> None:
        for name, inner in value.items() if isinstance(value, dict) else ():
            told = inner[0] if isinstance(inner, list) and inner else inner
            if isinstance(told, str) and told == name.replace("_", " "):
                filler.add(name)
            look(inner)

    for methods in document["paths"].values():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                look(content.get("example"))
            for answer in operation["responses"].values():
                for content in answer.get("content", {}).values():
                    look(content.get("example"))
    assert filler <= {
        "next",
        "path",
        "error",
        "fault",
        "says",
        "words",
        "sources",
        "original",
        "missing",
        "counted_from",
        "not_applicable",
    }
