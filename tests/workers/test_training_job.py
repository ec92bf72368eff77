"""A training job from its parameters to the version that comes of it."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.roles import SCOPES
from rootstock.accounts.services import api_key_create
from rootstock.accounts.tenancy import tenant
from rootstock.jobs import claiming, selectors, services
from rootstock.jobs.models import Job, JobSchedule
from rootstock.jobs.schedules import schedule_create, schedule_delete, schedules_run
from rootstock.registry.datasets.services import dataset_create
from rootstock.registry.models import AdapterVersion, Dataset
from tests.fixtures.jobs import run_job
from tests.models_zoo.llm.test_training import CHAT
from tests.models_zoo.llm.tiny import make_base
from workers.trainer.service import train

SETTINGS = {
    "rank": 4, "alpha": 8.0, "epochs": 1.0, "batch_size": 4, "max_tokens": 48,
    "learning_rate": 5e-3,
}  # fmt: skip


@pytest.fixture
def organisation(committed_world, settings, tmp_path, monkeypatch) -> Any:
    make_base(tmp_path / "models" / "tiny")
    settings.MODELS_DIR, settings.BASE_MODEL, settings.ADAPTERS_DIR = (
        tmp_path / "models", "tiny", tmp_path / "adapters",
    )  # fmt: skip
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    return committed_world.organisation


def chats(organisation: Any, name: str, rows: list[Any]) -> Dataset:
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return dataset_create(
        organisation=organisation, name=name, content=SimpleUploadedFile("a.jsonl", content)
    )[0]


def trained(organisation: Any, settings: dict[str, Any], **params: Any) -> Job:
    told = {"name": "desk", "settings": SETTINGS | settings, **params}
    job = services.job_create(organisation=organisation, kind="adapters.train", params=told)
    run_job(organisation.pk, job.pk, train)
    return selectors.job_get(organisation=organisation, job_id=job.pk, scopes=frozenset(SCOPES))


@pytest.mark.slow
def test_it_works(organisation) -> None:
    sets = {
        role: str(chats(organisation, role, rows).pk)
        for role, rows in {
            "dataset": CHAT,
            "mix": CHAT[:5],
            "replay": CHAT[5:8],
            "evaluation": CHAT[8:],
        }.items()
    }
    first = trained(organisation, {"sample_prompts": ["code 3?"]}, dataset=sets["dataset"])
    assert first.state == "succeeded", first.error
    sample, step = (
        next(
            e.data for e in selectors.job_events(organisation=organisation, job_id=first.pk) if e.type == kind
        )
        for kind in ("sample", "step")
    )
    assert (sample["prompt"], sample["step"]) == (1, 3)
    assert step["memory_bytes"] > 50_000_000
    assert step["eta_s"] > 0
    again = trained(organisation, {"base": "/etc"}, **sets, start_from_digest=first.result["digest"])
    assert again.state == "succeeded", again.error
    with tenant(organisation):
        version = AdapterVersion.objects.get(digest=again.result["digest"])
        assert version.parent.reference == first.result["adapter"]
        assert str(version.dataset_id) == sets["dataset"]
    assert version.card["training"]["start_from"] == first.result["adapter"]
    assert {name: version.card["data"][name]["examples"] for name in ("train", "mix", "replay", "evaluation")} == {
        "train": 12, "mix": 5, "replay": 3, "evaluation": 4,
    }  # fmt: skip


@pytest.mark.slow
def test_another_shape_than_the_versions_is_told_by_its_field(organisation) -> None:
    dataset = str(chats(organisation, "dataset", CHAT).pk)
    first = trained(organisation, {"max_steps": 1}, dataset=dataset)
    other = trained(organisation, {"rank": 8}, dataset=dataset, start_from_digest=first.result["digest"])
    assert other.state == "failed"
    assert "start_from: its rank is 4, expected 8" in other.error["detail"]


@pytest.mark.slow
def test_a_schedule_goes_on_from_the_version_that_it_names(organisation) -> None:
    """A schedule knows no digest; a name that means nothing here is told, and nothing starts from the base instead."""
    dataset = str(chats(organisation, "dataset", CHAT).pk)
    first = trained(organisation, {"max_steps": 1}, dataset=dataset)
    named = trained(organisation, {"max_steps": 1}, dataset=dataset, start_from=first.result["adapter"])
    with tenant(organisation):
        assert (
            AdapterVersion.objects.get(digest=named.result["digest"]).parent.digest == first.result["digest"]
        )
    unknown = trained(organisation, {"max_steps": 1}, dataset=dataset, start_from="desk@0123456789ab")
    assert unknown.state == "failed"
    assert unknown.error["detail"].startswith("start_from: your organisation has no adapter")


@pytest.mark.slow
def test_a_version_says_who_asked_for_it(organisation, committed_world) -> None:
    """The key, or the schedule that was due; not the job, which is its lineage."""
    dataset, owner = str(chats(organisation, "dataset", CHAT).pk), committed_world.owner
    key, _ = api_key_create(
        organisation=organisation, name="nightly build", scopes=("adapters:write",), created_by=owner
    )
    with acting(Actor("key", str(key.pk))):
        asked = trained(organisation, {"max_steps": 1}, dataset=dataset)
    schedule = schedule_create(
        organisation=organisation, name="Weekly", kind="adapters.train", every_s=3600, created_by=owner,
        params={"name": "desk", "settings": SETTINGS | {"max_steps": 2}, "dataset": dataset},
    )  # fmt: skip
    with tenant(organisation):
        JobSchedule.objects.filter(pk=schedule.pk).update(next_run_at=timezone.now())
    schedules_run()
    with tenant(organisation):
        due = Job.objects.get(schedule=schedule)
    run_job(organisation.pk, due.pk, train)
    with tenant(organisation):
        first, second = AdapterVersion.objects.order_by("pk")
        assert (first.created_by, first.job_id) == (f"key:{key.pk}", asked.pk)
        assert (second.created_by, second.job_id) == (f"schedule:{schedule.pk}", due.pk)
    browser = committed_world.browser(owner)
    page = browser.get(f"/adapters/{first.pk}/").content.decode()
    assert f"by API key nightly build, made by {owner.username}" in page
    page = browser.get(f"/adapters/{second.pk}/").content.decode()
    assert f"by Schedule Weekly, made by {owner.username}" in page
    schedule_delete(organisation=organisation, schedule_id=schedule.pk)
    assert "by A deleted schedule" in browser.get(f"/adapters/{second.pk}/").content.decode()
