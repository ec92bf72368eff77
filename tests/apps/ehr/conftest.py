"""Bundles on their way through the pipeline, beside no worker: notes stay withheld."""

from collections.abc import Callable
from typing import Any

import pytest

from apps.ehr.generator import Case, case


@pytest.fixture
def ingest(committed_world: Any) -> Callable[..., Any]:
    """Sends a Bundle over REST and runs its job here. Gives the Bundle's row as REST shows it."""
    from tests.fixtures.jobs import run_job as run

    def send(bundle: dict[str, Any], organisation: Any = None) -> dict[str, Any]:
        owner = organisation or committed_world.organisation
        api = committed_world.api("ehr:read", "ehr:write", organisation=owner)
        answer = api.post("/ehr/bundles", bundle)
        assert answer.status_code in (200, 202), answer.json()
        accepted = answer.json()
        run(str(owner.pk), accepted["job_id"])
        return api.get(f"/ehr/bundles/{accepted['id']}").json()

    return send


@pytest.fixture
def made() -> Case:
    """A septic patient."""
    return case(0)
