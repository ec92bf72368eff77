"""Generated requests against every operation: none breaks the server, every answer is one that the document tells."""

import re

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rootstock.accounts.roles import SCOPES
from rootstock.wsgi import application
from tests.rootstock.accounts.test_every_route import operations

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]  # the document is read once
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
AWAY = 503  # no worker serves a lane here, and that is what it should say
LABELS = [f"{one.method} {re.sub('{[^{}:]*:', '{', one.path)}" for one in operations()]


@pytest.fixture(scope="module")
def documented(django_db_setup, django_db_blocker):
    """The document's operations by their labels."""
    with django_db_blocker.unblock():  # a request looks after the connections that others have left
        schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    return {each.label: each for each in (result.ok() for result in schema.get_all_operations())}


@pytest.fixture
def one_connection(world):
    """The test's own transaction serves the requests, as with Django's test client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_every_route_is_in_the_document(documented) -> None:
    assert set(LABELS) == set(documented)


@pytest.mark.parametrize("label", LABELS, ids=str)
def test_it_does_what_the_document_says(world, one_connection, documented, label) -> None:
    headers = {"Authorization": f"Bearer {world.key(*SCOPES)}"}

    @settings(
        max_examples=3,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=documented[label].as_strategy())
    def ask(case) -> None:
        response = case.call(headers=headers)
        if response.status_code == AWAY:
            assert response.json()["code"] == "unavailable"
            return
        case.validate_response(response, checks=CHECKS)

    ask()
