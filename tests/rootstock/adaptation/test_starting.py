"""Starting a training over REST and on its page: what is taken, what is refused and why."""

import pytest

from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.audit.models import AuditEntry
from rootstock.jobs.models import Job
from tests.fixtures.trainings import dataset_row, training_row

START = "/adapters/train"


@pytest.fixture
def dataset(world):
    return dataset_row(world)


def started(world) -> Job:
    with tenant(world.organisation):
        return Job.objects.get(kind="adapters.train")


def test_it_works(world, base, dataset) -> None:
    body = {"name": "desk", "dataset_id": str(dataset.pk), "rank": 4, "last_layers": 2, "targets": ["q_proj"]}
    answer = world.api("adapters:write").post(START, body)
    assert answer.status_code == 202, answer.content
    job = started(world)
    assert str(job.pk) == answer.json()["id"]
    settings = TrainSettings(rank=4, last_layers=2, targets=("q_proj",)).model_dump(mode="json")
    assert job.params == {"name": "desk", "dataset": str(dataset.pk), "settings": settings}
    with tenant(world.organisation):
        entry = AuditEntry.objects.get(action="adapter.training_started")
    assert (entry.object_id, entry.data["adapter"]) == (str(job.pk), "desk")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rank": 0}, "rank"),
        ({"rank": 65}, "rank"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"epochs": 1e9}, "epochs"),
        ({"targets": ["lm_head"]}, "targets.0"),
        ({"targets": []}, "targets"),
        ({"name": "Bad Name"}, "name"),
        ({"dataset_id": "x"}, "dataset_id"),
        ({"base": "/etc"}, "base"),
    ],
)
def test_bad_requests_name_the_field(world, base, dataset, change, field) -> None:
    body = {"name": "desk", "dataset_id": str(dataset.pk)} | change
    answer = world.api("adapters:write").post(START, body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_a_frozen_test_set_is_not_trained_on(world, base) -> None:
    frozen = dataset_row(world, "frozen", is_test=True)
    answer = world.api("adapters:write").post(START, {"name": "desk", "dataset_id": str(frozen.pk)})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "dataset_id"


def test_another_organisations_data_set_is_not_found(world, base, dataset) -> None:
    api = world.api("adapters:write", organisation=world.other)
    assert api.post(START, {"name": "desk", "dataset_id": str(dataset.pk)}).status_code == 404


def filled(form, **changes):
    """What a browser sends of a form that was filled in."""
    given = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in (given | changes).items() if value is not None}


def test_the_page_starts_one(world, base, dataset) -> None:
    browser = world.browser(world.owner)
    form = browser.get("/adaptation/new/").context["form"]
    answer = browser.post(
        "/adaptation/new/", filled(form, name="desk", dataset_id=str(dataset.pk), max_steps="7")
    )
    job = started(world)
    assert (answer.status_code, answer["Location"]) == (302, f"/adaptation/{job.pk}/")
    assert job.params["settings"] == TrainSettings(max_steps=7).model_dump(mode="json")
    assert job.created_by == world.owner


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rank": "999"}, "rank"),
        ({"epochs": "0"}, "epochs"),
        ({"targets": []}, "targets"),
        ({"name": "Bad Name"}, "name"),
        ({"dataset_id": "other"}, "dataset_id"),
    ],
)
def test_the_page_says_what_is_wrong_beside_its_field(world, base, dataset, change, field) -> None:
    browser = world.browser(world.owner)
    form = browser.get("/adaptation/new/").context["form"]
    given = filled(form, name="desk", dataset_id=str(dataset.pk)) | change
    answer = browser.post("/adaptation/new/", given)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]


def test_a_preset_fills_the_settings_in_and_keeps_the_rest(world, dataset) -> None:
    given = {"preset": "quick", "name": "desk", "dataset_id": str(dataset.pk), "rank": "32"}
    form = world.browser(world.owner).post("/adaptation/new/", given).context["form"]
    shown = {name: form[name].value() for name in ("name", "dataset_id", "rank", "last_layers")}
    assert shown == {"name": "desk", "dataset_id": str(dataset.pk), "rank": 4, "last_layers": 2}


def test_a_run_can_be_the_beginning_of_another(world, dataset) -> None:
    run = training_row(world, dataset, rank=4)
    form = world.browser(world.owner).get(f"/adaptation/new/?from={run.pk}").context["form"]
    assert [form[name].value() for name in ("name", "dataset_id", "rank")] == ["desk", str(dataset.pk), 4]
    assert world.browser(world.stranger).get(f"/adaptation/new/?from={run.pk}").status_code == 404
    assert world.browser(world.owner).get("/adaptation/new/?from=x").status_code == 404
