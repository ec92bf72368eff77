"""Two people who do to the site what takes two."""

from collections.abc import Iterator
from typing import Any

import pytest

from rootstock.accounts.models import Role
from rootstock.accounts.services import api_key_create
from rootstock.demo import DemoClient


@pytest.fixture
def people(request: pytest.FixtureRequest, site: Any, committed_world: Any) -> Iterator[list[DemoClient]]:
    """Two people's clients, with the scopes that the test's module names in SCOPES."""
    users = (committed_world.owner, committed_world.person(Role.ML_ENGINEER))
    organisation, scopes = committed_world.organisation, request.module.SCOPES
    keys = [
        api_key_create(organisation=organisation, name="k", scopes=scopes, created_by=user)[1]
        for user in users
    ]
    clients = [DemoClient(site.url, key) for key in keys]
    yield clients
    for client in clients:
        client.close()
