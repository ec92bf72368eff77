"""Names of persons in data sets: who looks, in how much, and what is told of it. What is found: tests/site."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from rootstock.accounts.tenancy import tenant
from rootstock.jobs.models import Job
from rootstock.registry.datasets.fitness import warnings_of
from rootstock.registry.datasets.names import (
    AT_ONCE,
    AT_ONCE_CHARACTERS,
    CHARACTERS,
    ROWS,
    parts,
    sample,
)
from rootstock.registry.datasets.report import Finding, FoundLine, Names
from rootstock.registry.datasets.services import dataset_empty
from rootstock.registry.models import Dataset
from tests.rootstock.adaptation.test_starting import filled
from tests.rootstock.registry.test_dataset_reports import TURNS, lines_of, row_of, run, upload
from tests.rootstock.registry.test_pages import text_of

LINE = FoundLine(line=4, value=0.93, fields=["messages.0.content"])
FOUND = Names(
    looked=5, rows=7, adapter="clinical-deid@0", found=Finding(kind="personal", detail="name", count=1, lines=[LINE])
)  # fmt: skip


def told(world: Any, dataset: dict[str, Any]) -> dict[str, Any]:
    return world.api("adapters:read").get(f"/datasets/{dataset['id']}/report").json()


def looked(world: Any, dataset: dict[str, Any], names: Names = FOUND, state: str = "succeeded") -> None:
    """As if the worker had answered."""
    with tenant(world.organisation):
        Dataset.objects.filter(pk=dataset["id"]).update(names=names.model_dump(mode="json"))
        Job.objects.filter(kind="datasets.names").update(state=state)


def test_every_new_set_is_looked_through_once(world: Any) -> None:
    """The report is there at once, names come by a job; the same content again is not looked at again."""
    dataset, again = (upload(world, lines_of(*TURNS)) for _ in range(2))
    assert dataset["id"] == again["id"]
    found = told(world, dataset)
    assert (found["names"], found["report"]["rows"]) == (None, 7)
    with tenant(world.organisation):
        [job] = Job.objects.filter(kind="datasets.names")
    assert (str(job.pk), job.total) == (found["names_job_id"], 7)
    assert job.params == {"dataset": dataset["id"], "rows": ROWS}
    asked = world.api("adapters:write").post(f"/datasets/{dataset['id']}/names", {"rows": 3})
    assert (asked.status_code, asked.json()["names_job_id"]) == (202, str(job.pk))  # one at a time
    looked(world, dataset)
    asked = world.api("adapters:write").post(f"/datasets/{dataset['id']}/names", {"rows": 3})
    assert asked.json()["names_job_id"] != str(job.pk)


@pytest.mark.parametrize("rows", [0, -1, 20_001, "many"])
def test_how_many_examples(world: Any, rows: object) -> None:
    dataset = upload(world, lines_of(*TURNS))
    answer = world.api("adapters:write").post(f"/datasets/{dataset['id']}/names", {"rows": rows})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "rows"


def test_others_may_not_look(world: Any) -> None:
    dataset = upload(world, lines_of(*TURNS))
    path = f"/datasets/{dataset['id']}/names"
    assert world.api("adapters:read").post(path, {}).status_code == 403
    with tenant(world.organisation):
        Job.objects.update(state="succeeded")
    assert world.api("adapters:write").post(f"/datasets/{uuid4()}/names", {}).status_code == 404


def test_an_upload_is_kept_when_too_many_jobs_wait(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "JOBS_QUEUED", 0)
    dataset = upload(world, lines_of(*TURNS))
    assert told(world, dataset)["names_job_id"] is None
    page = text_of(world.browser(world.owner), f"/adapters/datasets/{dataset['id']}/")
    assert "Not looked for" in page


def test_without_a_worker_it_is_tried_again(committed_world: Any, base: Path) -> None:
    dataset = upload(committed_world, lines_of(*TURNS))
    job = run(committed_world, dataset["names_job_id"])
    assert (job.state, job.error["code"]) == ("queued", "unavailable")
    assert told(committed_world, dataset)["names"] is None


def test_the_sample() -> None:
    lines = [str(at) * 10 for at in range(1000)]
    chosen = sample(lines, 500, "a")
    assert len(chosen) == len(set(chosen)) == 500
    assert chosen == sorted(chosen) == sample(lines, 500, "a") != sample(lines, 500, "b")
    assert sum(at >= 500 for at in chosen) > 200  # drawn from all of it
    assert sample(lines, 2000, "a") == list(range(1000))


def test_long_lines_are_passed_over() -> None:
    """What is read is bounded, however long the lines are."""
    lines = ["x" * 100_000, "y", "z" * 1500]
    assert sample(lines, 3, "a") == [1, 2]
    assert sample(["x" * CHARACTERS] * 9, 4, "a") == sample(["x"] * 9, 4, "a")
    assert sample(["x" * 20_000] * 9, 4, "a") == []


def test_texts_go_a_few_at_a_time() -> None:
    assert [*parts([])] == []
    assert [*parts([9] * (AT_ONCE + 1))] == [slice(0, AT_ONCE), slice(AT_ONCE, AT_ONCE + 1)]
    long = AT_ONCE_CHARACTERS
    assert [*parts([long * 5, 1, long, 1])] == [slice(0, 1), slice(1, 2), slice(2, 3), slice(3, 4)]


def test_the_page_tells_lines_and_fields(world: Any) -> None:
    dataset, browser = upload(world, lines_of(*TURNS)), world.browser(world.owner)
    path = f"/adapters/datasets/{dataset['id']}/"
    assert "Being looked for" in text_of(browser, path)
    assert browser.get(path, headers={"HX-Request": "true", "HX-Target": "names"}).status_code == 200
    looked(world, dataset)
    page = text_of(browser, path)
    assert "Names of persons 1" in page
    assert "In 5 of 7 examples, drawn evenly: 1 of them holds names of persons" in page
    assert "messages.0.content" in page
    assert browser.get(path, headers={"HX-Request": "true", "HX-Target": "names"}).status_code == 286
    page = browser.post(f"{path}drop", {"finding": "names"}, follow=True).content.decode()
    assert "1 line dropped" in page
    assert "Being looked for" in page  # the new version is looked through anew


def test_a_training_does_not_wait(world: Any, base: Path) -> None:
    dataset, browser = upload(world, lines_of(*TURNS)), world.browser(world.owner)
    form = filled(browser.get("/adaptation/new/").context["form"], name="desk", dataset_id=dataset["id"])
    page = browser.post("/adaptation/new/estimate", form).content.decode()
    assert "being looked for" in page
    looked(world, dataset)
    page = browser.post("/adaptation/new/estimate", form).content.decode()
    assert "being looked for" not in page
    assert "lines with personal data (name)" in page
    assert {one.detail for one in warnings_of(row_of(world, dataset))} >= {"name", "email"}


def test_fields_of_what_shows_by_its_form(world: Any) -> None:
    problems = told(world, upload(world, lines_of(*TURNS)))["report"]["problems"]
    [found] = [one for one in problems if one["detail"] == "email"]
    assert found["lines"][0]["fields"] == ["messages.0.content"]


def test_it_goes_with_the_content(world: Any) -> None:
    dataset = upload(world, lines_of(*TURNS))
    looked(world, dataset)
    with tenant(world.organisation):
        dataset_empty(Dataset.objects.select_for_update().get(pk=dataset["id"]), "erased")
    assert told(world, dataset)["names"] is None
    asked = world.api("adapters:write").post(f"/datasets/{dataset['id']}/names", {})
    assert asked.status_code == 409
    assert "erasure" in json.dumps(asked.json())
