"""Training a base: its form, what it will take, what is refused, its live page, and the same from a shell."""

import json
from pathlib import Path
from typing import Any

import pytest

from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.base_estimates import base_estimate, need
from rootstock.adaptation.base_settings import BaseTrainSettings
from rootstock.adaptation.config import config_read, sources_of
from rootstock.adaptation.sources import Sources, load
from rootstock.audit.models import AuditEntry
from rootstock.errors import InvalidInput
from rootstock.jobs.models import Job, JobEvent
from rootstock.jobs.services import job_create
from rootstock.registry.base_shapes import served_shape
from rootstock.registry.datasets.uses import dataset_uses
from tests.fixtures.trainings import dataset_row

PAGE = "/adaptation/bases/new/"
LABELS = json.dumps({"text": "Late again", "labels": ["anger"]}).encode()


@pytest.fixture
def sets(world: Any) -> dict[str, Any]:
    """Data sets by what they are for."""
    lines = {
        name: json.dumps(
            {
                "messages": [
                    {"role": "user", "content": f"{name}?"},
                    {"role": "assistant", "content": "Yes."},
                ]
            }
        )
        for name in ("desk", "held-out", "earlier")
    }
    found = {name: dataset_row(world, name, line=line.encode()) for name, line in lines.items()}
    return found | {
        "frozen": dataset_row(world, "frozen", is_test=True),
        "labels": dataset_row(world, "labels", line=LABELS, task="classification"),
    }


def filled(form: Any, **changes: Any) -> dict[str, Any]:
    """What a browser sends of a form that was filled in."""
    given = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in (given | changes).items() if value is not None}


@pytest.fixture
def given(world: Any, base: Path, sets: dict[str, Any]) -> dict[str, Any]:
    form = world.browser(world.owner).get(PAGE).context["form"]
    data = {"dataset_id": str(sets["desk"].pk), "evaluation_id": str(sets["held-out"].pk)}
    return filled(form, name="desk-base", **data)


def test_it_works(world: Any, sets: dict[str, Any], given: dict[str, Any]) -> None:
    """The page starts one, with replay and questions that stay off the audit trail."""
    chosen = given | {"replay_id": str(sets["earlier"].pk), "sample_prompts": "Where is Ada?", "epochs": "2"}
    answer = world.browser(world.owner).post(PAGE, chosen)
    with tenant(world.organisation):
        job = Job.objects.get(kind="bases.train")
        entry = AuditEntry.objects.get(action="base.training_started")
    assert (answer.status_code, answer["Location"]) == (302, f"/adaptation/{job.pk}/")
    settings = BaseTrainSettings(epochs=2, sample_prompts=("Where is Ada?",)).model_dump(mode="json")
    assert job.params == {
        "name": "desk-base", "base": "", "dataset": str(sets["desk"].pk), "settings": settings,
        "evaluation": str(sets["held-out"].pk), "replay": str(sets["earlier"].pk),
    }  # fmt: skip
    assert entry.data["settings"]["sample_prompts"] == 1
    assert [one.pk for one in dataset_uses(dataset=sets["earlier"]).trainings] == [job.pk]
    again = world.browser(world.owner).get(f"{PAGE}?from={job.pk}").context["form"]
    assert [again[name].value() for name in ("name", "replay_id", "epochs")] == [
        "desk-base", str(sets["earlier"].pk), 2.0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Bad Name"}, "name"),
        ({"evaluation_id": ""}, "evaluation_id"),
        ({"evaluation_id": "desk"}, "evaluation_id"),
        ({"dataset_id": "labels", "evaluation_id": "labels"}, "dataset_id"),
        ({"replay_id": "labels"}, "replay_id"),
        ({"student_layers": "2"}, "student_layers"),
        ({"recipe": "distil", "student_layers": "99"}, "student_layers"),
        ({"temperature": "0"}, "temperature"),
        ({"base": "other@0123456789ab"}, "base"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    world: Any, sets: dict[str, Any], given: dict[str, Any], changes: dict[str, str], field: str
) -> None:
    chosen = {name: str(sets[value].pk) if value in sets else value for name, value in changes.items()}
    answer = world.browser(world.owner).post(PAGE, given | chosen)
    assert (answer.status_code, next(iter(answer.context["form"].errors))) == (422, field)
    with tenant(world.organisation):
        assert not Job.objects.filter(kind="bases.train").exists()


def test_what_does_not_fit_is_refused_before_it_starts(
    world: Any, given: dict[str, Any], settings: Any
) -> None:
    """With the figures, by the page, its estimate and REST alike; at the field that would help."""
    browser, wanted = world.browser(world.owner), need(BaseTrainSettings(), served_shape())
    settings.TRAIN_BYTES = wanted.weights + 1000
    refused = browser.post(PAGE, given)
    assert list(refused.context["form"].errors) == ["batch_size"]
    told = browser.post(f"{PAGE}estimate", given).content.decode()
    assert "of memory on cpu" in told
    settings.TRAIN_BYTES = 1000
    body = {"name": "desk-base", "dataset_id": given["dataset_id"], "evaluation_id": given["evaluation_id"]}
    for path in ("/bases/train", "/bases/train/estimate"):
        answer = world.api("adapters:write").post(path, body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "recipe")


def test_what_it_will_take_is_told(world: Any, given: dict[str, Any]) -> None:
    browser = world.browser(world.owner)
    page = browser.post(f"{PAGE}estimate", given)
    found = page.context["found"]
    assert (found.examples, found.steps, found.shared_bytes) == (1, 3, 0)
    assert 0 < found.low < found.seconds < found.high
    assert found.peak_bytes == need(BaseTrainSettings(), served_shape()).total
    assert "it may have" in page.content.decode()
    distilled = browser.post(f"{PAGE}estimate", given | {"recipe": "distil"}).context["found"]
    assert (distilled.steps, distilled.parameters < found.parameters) == (5, True)
    assert "Choose a data set" in browser.post(f"{PAGE}estimate", {}).content.decode()


def test_finished_trainings_replace_the_guess(
    world: Any, base: Path, sets: dict[str, Any], monkeypatch: Any
) -> None:
    from rootstock.adaptation import base_estimates

    with tenant(world.organisation):
        loaded = load(Sources(sets["desk"].pk, sets["held-out"].pk))
    about = {"organisation": world.organisation, "loaded": loaded, "settings": BaseTrainSettings()}
    guess = base_estimate(**about, shape=served_shape())
    monkeypatch.setattr(base_estimates, "_ratios", lambda *_: [2.0, 2.0])
    found = base_estimate(**about, shape=served_shape())
    assert guess
    assert found
    assert (guess.basis, found.basis) == ("constants", "measured")
    assert found.seconds == pytest.approx(2 * guess.seconds)


def test_its_page_shows_it_as_it_goes(world: Any, sets: dict[str, Any]) -> None:
    told = BaseTrainSettings(recipe="distil", sample_prompts=("Where is it?",)).model_dump(mode="json")
    params = {"name": "desk-base", "base": "", "dataset": str(sets["desk"].pk), "settings": told}
    params["evaluation"] = str(sets["held-out"].pk)
    job = job_create(organisation=world.organisation, kind="bases.train", params=params)
    at = {"step": 2, "steps": 4, "epoch": 1.0}
    figures = {"score": -0.5, "features_loss": 0.5}
    events = [
        ("step", at | {"loss": 1.5, "learning_rate": 1e-5, "tokens_per_second": 10.0}),
        ("evaluation", at | {"metrics": figures, "best": False}),
        ("sample", at | {"prompt": 1, "text": "At the depot."}),
        ("log", {"text": "Stage 2 of 3 begins: attention."}),
    ]
    with tenant(world.organisation) as owner:
        JobEvent.objects.bulk_create(
            JobEvent(organisation_id=owner, job=job, sequence=number, type=kind, data=data)
            for number, (kind, data) in enumerate(events, 1)
        )
        Job.objects.filter(pk=job.pk).update(last_event=len(events))
    browser = world.browser(world.owner)
    page = browser.get(f"/adaptation/{job.pk}/").content.decode()
    for words in ("Features loss", "At the depot.", "Stage 2 of 3 begins", "Distilled into fewer layers"):
        assert words in page
    assert f"{PAGE}?from={job.pk}" not in page  # not before it has ended
    assert "desk-base" in browser.get("/adaptation/").content.decode()


def test_the_same_from_a_shell(world: Any, base: Path, sets: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('train = "base"\nname = "desk-base"\ndataset = "desk"\nevaluation = "held-out"\n')
    config = config_read(path)
    job = config.begin(world.organisation, sources_of(config, world.organisation, tmp_path))
    assert (job.kind, job.params["name"]) == ("bases.train", "desk-base")
    for text, told in (
        ("", "evaluation"),
        ('evaluation = "held-out"\nstart_from = "a@b"\n', "start_from"),
        ('evaluation = "held-out"\n[settings]\nrank = 4\n', "rank"),
    ):
        path.write_text(f'train = "base"\nname = "desk-base"\ndataset = "desk"\n{text}')
        with pytest.raises(InvalidInput, match=told):
            config_read(path)
    path.write_text('train = "house"\n')
    with pytest.raises(InvalidInput, match="train: must be one of adapter, base"):
        config_read(path)
