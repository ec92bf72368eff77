"""The job that trains a base: from the served one to a new one in the registry, also through a kill."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from models_zoo.llm.decoder import load_decoder
from rootstock.accounts.roles import SCOPES
from rootstock.adaptation.base_services import base_train
from rootstock.adaptation.base_settings import BaseTrainSettings
from rootstock.adaptation.sources import Sources
from rootstock.errors import InvalidInput
from rootstock.jobs import claiming, selectors
from rootstock.jobs.models import Job
from rootstock.registry.base_contents import base_fetch
from rootstock.registry.datasets.services import dataset_create
from rootstock.registry.services import adapter_register
from rootstock.registry.trained_bases import trained_base_named
from tests.fixtures.jobs import run_job
from tests.models_zoo.llm.test_training import CHAT
from tests.models_zoo.llm.tiny import TinyBase, make_adapter, make_base

pytestmark = pytest.mark.slow

HELD_OUT = [
    {"messages": [{"role": "user", "content": f"word {n}!"}, {"role": "assistant", "content": "zebra"}]}
    for n in range(4)
]
EARLIER = [
    {"messages": [{"role": "user", "content": f"earlier {n}?"}, {"role": "assistant", "content": "yes"}]}
    for n in range(3)
]


@pytest.fixture
def tiny(settings: Any, tmp_path: Path) -> TinyBase:
    """An installation that serves the tiny base, and has no other."""
    settings.MODELS_DIR, settings.BASE_MODEL, settings.CHECKPOINT_S = tmp_path / "models", "tiny", 1e-9
    return make_base(tmp_path / "models" / "tiny")


def started(world: Any, base: str = "", **changes: Any) -> Job:
    sets = [
        dataset_create(
            organisation=world.organisation,
            name=name,
            content=SimpleUploadedFile("x.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode()),
        )[0]
        for name, rows in (("desk", CHAT), ("held-out", HELD_OUT), ("earlier", EARLIER))
    ]
    chosen = {"learning_rate": 2e-3, "epochs": 4.0, "batch_size": 4, "max_tokens": 96} | changes
    return base_train(
        organisation=world.organisation,
        name="desk-base",
        sources=Sources(sets[0].pk, sets[1].pk, replay=sets[2].pk),
        settings=BaseTrainSettings(**chosen),
        base=base,
    )


def now(job: Job) -> Job:
    return selectors.job_get(organisation=job.organisation_id, job_id=job.pk, scopes=frozenset(SCOPES))


def killed_in(stage: str, models: Path) -> threading.Thread:
    """Kills the training process, as a lack of memory would, once it has written a checkpoint of the stage."""

    def kill() -> None:
        while not list(models.glob(f".resumable-*/{stage}-*")):
            time.sleep(0.02)
        for process in psutil.Process().children(recursive=True):
            if "workers.trainer.base_child" in process.cmdline():
                process.kill()

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def test_a_kill_is_gone_on_from_and_another_goes_on_from_the_base(
    committed_world: Any, tiny: TinyBase, settings: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    asked = ("what is a zebra?", "and a bee?")
    job = started(committed_world, recipe="distil", student_layers=2, sample_prompts=asked)
    killed_in("attention", tmp_path / "models")
    run_job(job.organisation_id, job.pk)
    assert (now(job).state, now(job).error["code"]) == ("queued", "worker_lost")
    run_job(job.organisation_id, job.pk)
    ended = now(job)
    assert (ended.state, ended.attempts) == ("succeeded", 2), ended.error
    row = trained_base_named(organisation=committed_world.organisation, reference=ended.result["base"])
    assert row.metrics["requantized_loss"] < row.metrics["original_loss"]
    assert (row.recipe, row.data["training"]["rows"]) == ("distil", 12)
    assert (row.data["replay"]["rows"], "sample_prompts" in row.settings) == (3, False)
    told = [event.type for event in selectors.job_events(organisation=job.organisation_id, job_id=job.pk)]
    assert {"step", "evaluation", "log", "sample", "trained"} <= set(told)
    assert not [path.name for path in (tmp_path / "models").iterdir() if path.name != "tiny"]
    second = started(committed_world, base=row.reference, max_steps=2)
    run_job(second.organisation_id, second.pk)
    later = trained_base_named(
        organisation=committed_world.organisation, reference=now(second).result["base"]
    )
    assert later.parent_id == row.base_id
    assert later.metrics["original_loss"] == pytest.approx(row.metrics["requantized_loss"])
    settings.BASE_MODEL = row.reference
    assert load_decoder(base_fetch(row)).config.layers == 2
    with pytest.raises(InvalidInput, match="another base"):
        adapter_register(
            organisation=committed_world.organisation,
            folder=make_adapter(tmp_path / "old", tiny),
            job_id=None,
        )


def test_too_little_memory_is_told_with_the_figure(
    committed_world: Any, tiny: TinyBase, settings: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    job = started(committed_world)
    settings.TRAIN_BYTES = 5_000_000
    run_job(job.organisation_id, job.pk)
    assert (now(job).state, now(job).error["code"]) == ("failed", "training_failed")
    assert "of memory on cpu, 5.0 MB are free" in now(job).error["detail"]
