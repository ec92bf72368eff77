"""What a training is estimated to take, and that no torch is needed to say so."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models_zoo.llm.card import read_card
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.train_settings import TrainSettings
from rootstock.jobs.models import Job, JobEvent
from rootstock.registry.base import base_registered
from rootstock.registry.datasets import estimate
from rootstock.registry.models import AdapterVersion, Dataset
from rootstock.registry.selectors import dataset_get
from tests.rootstock.adaptation.test_starting import filled
from tests.rootstock.registry.test_dataset_reports import TURNS, lines_of, upload

ROOT = Path(__file__).parents[3]


def settings(**changes: Any) -> dict[str, Any]:
    return TrainSettings(**changes).model_dump()


@pytest.fixture
def dataset(world: Any, base: Path) -> Dataset:
    made = upload(world, lines_of(*TURNS))
    return dataset_get(organisation=world.organisation, dataset_id=made["id"])


def test_it_works(dataset: Dataset) -> None:
    """7 examples in batches of 2 are 4 steps an epoch; every token is passed through once in each."""
    found = estimate(dataset=dataset, settings=settings(batch_size=2, epochs=3))
    assert found is not None
    assert (found.examples, found.steps, found.basis) == (7, 12, "constants")
    assert found.tokens == 3 * dataset.report["tokens"]["total"]
    assert found.low < found.seconds < found.high
    assert found.shared_bytes < found.peak_bytes


def test_what_costs_more_is_estimated_higher(dataset: Dataset) -> None:
    def of(**changes: Any) -> Any:
        return estimate(dataset=dataset, settings=settings(batch_size=4, **changes))

    plain = of()
    assert of(epochs=6).seconds > plain.seconds > of(last_layers=2).seconds
    assert of(recompute=True).seconds > plain.seconds
    assert of(recompute=True).peak_bytes < plain.peak_bytes < of(rank=64).peak_bytes
    assert of(max_tokens=48).tokens < plain.tokens
    assert of(max_steps=2).steps == 2
    assert of(accumulation=2).steps < plain.steps
    assert of(compute="bfloat16").peak_bytes < plain.peak_bytes
    first, both = of(method="two_stage", max_steps=3), of(method="two_stage", epochs=3, head_epochs=2)
    assert (first.steps, both.steps) == (3, 10)
    assert both.seconds < of(epochs=5).seconds
    once, twice = (of(method="dpo", epochs=epochs).seconds - of(epochs=epochs).seconds for epochs in (1, 2))
    assert twice == pytest.approx(once)


def test_finished_trainings_correct_it(world: Any, dataset: Dataset, base: Path) -> None:
    told = settings(batch_size=2)
    guessed = estimate(dataset=dataset, settings=told)
    assert guessed is not None
    with tenant(world.organisation) as owner:
        for factor in (2.0, 4.0, 3.0):
            params = {"name": "desk", "dataset": str(dataset.pk), "evaluation": None, "settings": told}
            job = Job.objects.create(
                organisation_id=owner, kind="adapters.train", state="succeeded", params=params
            )
            data = {"step": 12, "steps": 12, "seconds": guessed.seconds * factor}
            JobEvent.objects.create(organisation_id=owner, job=job, sequence=1, type="trained", data=data)
            AdapterVersion.objects.create(
                organisation_id=owner, name="desk", digest=job.pk.hex * 2, job=job,
                base=base_registered(read_card(base)), card={"task": "chat"},
            )  # fmt: skip
    found = estimate(dataset=dataset, settings=told)
    assert found is not None
    assert found.measured == 3
    assert found.seconds == pytest.approx(3 * guessed.seconds)
    assert found.low <= 2 * guessed.seconds <= 4 * guessed.seconds <= found.high * 1.001


def test_over_rest_and_on_the_form(world: Any, dataset: Dataset) -> None:
    api, body = world.api("adapters:write"), {"name": "desk", "dataset_id": str(dataset.pk), "batch_size": 2}
    told = api.post("/adapters/train/estimate", body).json()
    assert (told["examples"], told["steps"], told["measured"]) == (7, 12, 0)
    browser = world.browser(world.owner)
    form = browser.get("/adaptation/new/").context["form"]
    given = filled(form, name="", dataset_id=str(dataset.pk), batch_size="2")
    page = browser.post("/adaptation/new/estimate", given)
    shown = page.content.decode()
    assert "nothing was trained here yet" in shown
    assert "near duplicate" in shown
    assert not Job.objects.filter(kind="adapters.train").exists()
    with tenant(world.organisation):
        Dataset.objects.update(report={})
    assert api.post("/adapters/train/estimate", body).status_code == 409


@pytest.mark.slow
def test_a_web_process_needs_neither_torch_nor_pyarrow_for_it() -> None:
    source = (
        "import django; django.setup(); import rootstock.urls, sys; "
        "import rootstock.registry.datasets.measuring, rootstock.registry.datasets.previews; "
        "print({'torch', 'pyarrow'} & set(sys.modules))"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "rootstock.settings"}
    environment["PYTHONPATH"] = f"{ROOT / 'platform'}{os.pathsep}{ROOT}"
    said = subprocess.run(
        [sys.executable, "-c", source], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "set()"
