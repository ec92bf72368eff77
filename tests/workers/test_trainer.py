"""How a training's own process ends, and what becomes of the job."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rootstock.accounts.roles import SCOPES
from rootstock.jobs import claiming, selectors, services
from rootstock.jobs.models import Job
from rootstock.jobs.running import JobHandle
from tests.fixtures.jobs import run_job
from workers.trainer.child import Child
from workers.trainer.service import follow, trained


@pytest.fixture
def job(committed_world, monkeypatch) -> Job:
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    return services.job_create(organisation=committed_world.organisation, kind="adapters.train", params={})


class Bereft(Child):
    """Tells whose weights it trains on, and ends as the lifeline ends one whose worker has gone."""

    module = "tests.workers.bereft"


def after(job: Job, spec: Path, *, kill: bool, kind: type[Child] = Child) -> Job:
    def function(handle: JobHandle) -> dict:
        with kind(spec) as child:
            if kill:
                os.kill(child._process.pid, signal.SIGKILL)
            return follow(handle, child)

    run_job(job.organisation_id, job.pk, function)
    return selectors.job_get(organisation=job.organisation_id, job_id=job.pk, scopes=frozenset(SCOPES))


def test_a_killed_training_process_is_tried_again(job, tmp_path, caplog) -> None:
    waiting = after(job, tmp_path / "spec.json", kill=True)
    assert (waiting.state, waiting.attempts, waiting.error["code"]) == ("queued", 1, "worker_lost")
    assert "signal 9" in waiting.error["detail"]
    assert f"the training process of job {job.pk} was lost: signal 9" in caplog.text


@pytest.mark.slow
def test_a_training_whose_worker_has_gone_is_tried_again(job, tmp_path) -> None:
    waiting = after(job, tmp_path / "spec.json", kill=False, kind=Bereft)
    assert (waiting.state, waiting.attempts, waiting.error["code"]) == ("queued", 1, "worker_lost")
    assert "the worker whose base the training used has ended" in waiting.error["detail"]
    told = selectors.job_events(organisation=job.organisation_id, job_id=job.pk)
    assert [event.data["text"] for event in told if event.type == "log"] == [
        "Trains on the worker's weights."
    ]


def test_a_training_that_cannot_work_is_not(job, tmp_path) -> None:
    ended = after(job, tmp_path / "no-such-spec.json", kill=False)
    assert (ended.state, ended.error["code"]) == ("failed", "training_failed")
    assert "exit status 1" in ended.error["detail"]


def test_what_a_training_refuses_is_told_in_words(job, tmp_path) -> None:
    (tmp_path / "spec.json").write_text('{"base": "nowhere", "flavour": "salt"}')
    ended = after(job, tmp_path / "spec.json", kill=False)
    assert ended.error["code"] == "training_failed"
    assert ended.error["detail"].startswith("spec: ")


class Endless(Child):
    """Works until somebody ends it, which somebody does once it has begun."""

    module = "tests.workers.endless"

    def __init__(self, spec: Path, job: Job) -> None:
        super().__init__(spec)
        self.job = job

    def events(self) -> Iterator[dict[str, Any] | None]:
        for event in super().events():
            if event:
                services.job_cancel(organisation=self.job.organisation, job_id=self.job.pk)
            yield event


def test_a_cancelled_job_says_when_the_memory_was_free(job, tmp_path) -> None:
    child = Endless(tmp_path / "spec.json", job)
    run_job(job.organisation_id, job.pk, lambda handle: trained(handle, child))
    assert not Path(f"/proc/{child.pid}").exists()
    told = list(selectors.job_events(organisation=job.organisation_id, job_id=job.pk))
    assert (told[-1].type, told[-1].data["state"]) == ("done", "cancelled")
    assert re.fullmatch(
        r"The training process is gone, and its memory free, \d\.\d\d s after it was asked to end\.",
        told[-2].data["text"],
    )
