"""An alias learns by the clock through the running site: beat, the trainer and a worker, each at its part."""

import time
from pathlib import Path
from typing import Any

import pytest

from rootstock.adaptation.continual.plans import plan_create
from rootstock.adaptation.continual.terms import Terms
from rootstock.registry.services import adapter_register
from tests.fixtures.adapters import adapter_in
from tests.fixtures.continual import ALIAS, COLLECTION, alias_row, as_person, lines_of
from tests.fixtures.trainings import dataset_row

pytestmark = pytest.mark.slow


def test_it_works(demo_client: Any, committed_world: Any, tmp_path: Path) -> None:
    world = committed_world
    folder = adapter_in(tmp_path / "a", name="brought")
    alias_row(world, adapter_register(organisation=world.organisation, folder=folder, job_id=None))
    dataset_row(world, COLLECTION, lines_of("new", 4))
    test = dataset_row(world, "frozen", lines_of("frozen", 1), is_test=True)
    terms = Terms.model_validate(
        {"test_set": test.pk, "minimal_gain": 1, "least_examples": 4, "settings": {"epochs": 1}}
    )
    with as_person(world.owner):
        plan = plan_create(
            organisation=world.organisation, alias=ALIAS, collection=COLLECTION, terms=terms, cron="0 3 * * *"
        )
    api = demo_client("adapters:read", "adapters:write", "jobs:read")
    begun = api.ask("POST", f"/continual/{plan.pk}/run", expect=202)
    until = time.monotonic() + 120
    while (run := api.ask("GET", f"/continual/runs/{begun['id']}"))["finished_at"] is None:
        assert time.monotonic() < until, run
        time.sleep(0.2)
    [line] = run["report"]
    assert (run["state"], run["examples"], line["holds"]) == ("not_better", 4, False), run
    assert run["version"] != run["production"]
    assert None not in (line["before"], line["after"])
