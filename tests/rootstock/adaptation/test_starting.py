"""Starting a training over REST and on its page: what is taken, what is refused and why."""

import json
from typing import ClassVar

import pytest

from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.audit.models import AuditEntry
from rootstock.jobs.models import Job
from tests.fixtures.registry import version_row
from tests.fixtures.trainings import dataset_row, training_row

START = "/adapters/train"
PAIR = {"messages": [{"role": "user", "content": "Late"}], "chosen": "I am sorry.", "rejected": "So what."}


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
    none = {"evaluation": None, "mix": None, "replay": None, "start_from": "", "start_from_digest": ""}
    assert job.params == {"name": "desk", "dataset": str(dataset.pk), "settings": settings, **none}
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


class Sets:
    """Data sets of each task by name, stored when a test first names them."""

    LABELS: ClassVar = {
        "labels": ("anger",), "joy": ("joy",), "several": ("anger", "joy"), "none": (),
    }  # fmt: skip

    def __init__(self, world, chat) -> None:
        self.world, self.stored = world, {"chat": chat}

    def __getitem__(self, name: str):
        if name not in self.stored:
            self.stored[name] = self.store(name)
        return self.stored[name]

    def store(self, name: str):
        if name in self.LABELS:
            line = json.dumps({"text": f"Late again, {name}", "labels": self.LABELS[name]}).encode()
            return dataset_row(self.world, name, line=line, task="classification")
        if name == "pairs":
            return dataset_row(self.world, name, line=json.dumps(PAIR).encode(), task="preference")
        return dataset_row(self.world, name, is_test=name == "frozen")


@pytest.fixture
def sets(world, dataset) -> Sets:
    return Sets(world, dataset)


@pytest.mark.parametrize(
    ("data", "settings", "field"),
    [
        ({"evaluation": "chat"}, {}, "evaluation_id"),
        ({"evaluation": "frozen"}, {}, "evaluation_id"),
        ({"evaluation": "labels"}, {}, "evaluation_id"),
        ({"mix": "other", "replay": "other"}, {}, "replay_id"),
        ({}, {"method": "two_stage"}, "method"),
        ({}, {"method": "dpo"}, "method"),
        ({"dataset": "pairs"}, {}, "method"),
        ({"dataset": "pairs"}, {"method": "dpo", "packing": True}, "packing"),
        ({"dataset": "labels"}, {"sample_prompts": ["Late?"]}, "sample_prompts"),
        ({}, {"patience": 2}, "patience"),
        ({}, {"evaluate_every": 2}, "evaluate_every"),
        ({}, {"last_layers": 99}, "last_layers"),
        ({}, {"multi_label": True}, "multi_label"),
        ({"dataset": "labels"}, {"packing": True}, "packing"),
        ({"dataset": "labels"}, {"answers_only": False}, "answers_only"),
        ({"dataset": "labels", "evaluation": "joy"}, {}, "evaluation_id"),
        ({"dataset": "several"}, {}, "multi_label"),
        ({"dataset": "none"}, {}, "multi_label"),
        ({"dataset": "labels"}, {"method": "two_stage", "max_steps": 1}, "max_steps"),
        ({"dataset": "pairs"}, {"method": "dpo", "label_smoothing": 0.5}, "label_smoothing"),
        ({}, {"compute": "int4"}, "compute"),
        ({}, {"mix_schedule": [0.5]}, "mix_schedule"),
        ({}, {"start_from": "desk"}, "start_from"),
        ({}, {"start_from": "desk@0123456789ab"}, "start_from"),
    ],
)
def test_what_does_not_go_together_is_named(world, base, sets, data, settings, field) -> None:
    ids = {f"{role}_id": str(sets[name].pk) for role, name in ({"dataset": "chat"} | data).items()}
    answer = world.api("adapters:write").post(START, {"name": "desk", **ids, **settings})
    assert answer.status_code in (404, 422)
    assert [problem["field"] for problem in answer.json()["errors"]] == [field]


def test_questions_may_be_asked_at_steps_without_an_evaluation_set(world, base, dataset) -> None:
    body = {"name": "desk", "dataset_id": str(dataset.pk), "sample_prompts": ["Late?"], "evaluate_every": 2}
    assert world.api("adapters:write").post(START, body).status_code == 202


def test_labels_of_the_version_that_it_goes_on_from_are_known(world, base, sets) -> None:
    card = {
        "task": "classification",
        "rank": 4,
        "scale": 3.0,
        "targets": ["q_proj"],
        "layers": 2,
        "labels": ["joy"],
    }
    with tenant(world.organisation):
        version = version_row(world.organisation.pk, card=card)
    ids = {"dataset_id": str(sets["labels"].pk), "evaluation_id": str(sets["joy"].pk)}
    answer = world.api("adapters:write").post(START, {"name": "desk", **ids, "start_from": version.reference})
    assert answer.json()["errors"][0]["field"] == "dataset_id"
    assert "anger" in answer.json()["detail"]


def test_questions_are_not_on_the_audit_trail(world, base, dataset) -> None:
    body = {"name": "desk", "dataset_id": str(dataset.pk), "sample_prompts": ["Where is Ada?"]}
    assert world.api("adapters:write").post(START, body).status_code == 202
    with tenant(world.organisation):
        entry = AuditEntry.objects.get(action="adapter.training_started")
    assert entry.data["settings"]["sample_prompts"] == 1


def test_going_on_from_a_version_takes_its_shape_over(world, base, sets) -> None:
    card = {"task": "chat", "rank": 4, "scale": 3.0, "targets": ["q_proj"], "layers": 2}
    trained = card | {"training": {"last_layers": 2, "multi_label": False}}
    with tenant(world.organisation):
        version = version_row(world.organisation.pk, card=trained)
    body = {"name": "desk", "dataset_id": str(sets["chat"].pk), "start_from": version.reference, "rank": 32}
    assert world.api("adapters:write").post(START, body).status_code == 202
    params = started(world).params
    assert (params["start_from"], params["start_from_digest"]) == (version.reference, version.digest)
    shape = {name: params["settings"][name] for name in ("rank", "alpha", "targets", "last_layers")}
    assert shape == {"rank": 4, "alpha": 12.0, "targets": ["q_proj"], "last_layers": 2}
    body["dataset_id"] = str(sets["labels"].pk)
    answer = world.api("adapters:write").post(START, body)
    assert answer.json()["errors"][0]["field"] == "start_from"


def test_a_brought_shape_that_is_not_trained_is_told(world, base, sets) -> None:
    shape = {"task": "chat", "rank": 4, "scale": 3.0, "targets": ["q_proj"], "layers": 2}
    card = shape | {"training": {"last_layers": "boom"}}
    with tenant(world.organisation):
        version = version_row(world.organisation.pk, card=card)
    body = {"name": "desk", "dataset_id": str(sets["chat"].pk), "start_from": version.reference}
    answer = world.api("adapters:write").post(START, body)
    assert answer.status_code == 422
    [problem] = answer.json()["errors"]
    assert problem["field"] == "start_from"
    assert "has a shape that is not trained" in problem["reason"]


@pytest.mark.parametrize(("scale", "alpha"), [(8.0, 64.0), (32.0, 256.0), (33.0, None)])
def test_a_strong_version_can_be_gone_on_from(world, base, dataset, scale, alpha) -> None:
    """What was trained with a rank-stabilised scale is stronger than alpha over rank allows."""
    card = {"task": "chat", "rank": 64, "scale": scale, "targets": ["q_proj"], "layers": 2}
    with tenant(world.organisation):
        version = version_row(world.organisation.pk, card=card)
    body = {"name": "desk", "dataset_id": str(dataset.pk), "start_from": version.reference}
    answer = world.api("adapters:write").post(START, body)
    if alpha is None:
        assert answer.json()["errors"][0]["field"] == "start_from"
    else:
        settings = started(world).params["settings"]
        assert (settings["alpha"], settings["rs_lora"]) == (alpha, True)


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


def test_without_data_the_page_says_where_to_bring_some(world, base) -> None:
    page = world.browser(world.owner).get("/adaptation/new/").content.decode()
    assert "There is no data set to learn from yet" in page
    assert "/adapters/datasets/upload" in page


def test_what_it_will_take_is_told_before_it_is_started(world, base, dataset) -> None:
    browser = world.browser(world.owner)
    form = browser.get("/adaptation/new/").context["form"]
    given = filled(form, dataset_id=str(dataset.pk), batch_size="1")
    found = browser.post("/adaptation/new/estimate", given).context["found"]
    assert (found.examples, found.steps) == (1, 3)
    assert found.tokens > 0 < found.low < found.high
    assert "Choose a data set" in browser.post("/adaptation/new/estimate", filled(form)).content.decode()


def test_a_run_can_be_the_beginning_of_another(world, dataset) -> None:
    run = training_row(world, dataset, rank=4)
    form = world.browser(world.owner).get(f"/adaptation/new/?from={run.pk}").context["form"]
    assert [form[name].value() for name in ("name", "dataset_id", "rank")] == ["desk", str(dataset.pk), 4]
    assert world.browser(world.stranger).get(f"/adaptation/new/?from={run.pk}").status_code == 404
    assert world.browser(world.owner).get("/adaptation/new/?from=x").status_code == 404
