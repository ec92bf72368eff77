"""How a training's own process ends, and what becomes of the job."""

import os
import signal
from pathlib import Path

import pytest

from rootstock.accounts.roles import SCOPES
from rootstock.jobs import claiming, selectors, services
from rootstock.jobs.models import Job
from rootstock.jobs.running import JobHandle
from tests.fixtures.jobs import run_job
from workers.trainer.child import Child
from workers.trainer.service import _follow


@pytest.fixture
def job(committed_world, monkeypatch) -> Job:
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    return services.job_create(organisation=committed_world.organisation, kind="adapters.train", params={})


def after(job: Job, spec: Path, *, kill: bool) -> Job:
    def function(handle: JobHandle) -> dict:
        with Child(spec) as child:
            if kill:
                os.kill(child._process.pid, signal.SIGKILL)
            return _follow(handle, child)

    run_job(job.organisation_id, job.pk, function)
    return selectors.job_get(organisation=job.organisation_id, job_id=job.pk, scopes=frozenset(SCOPES))


def test_a_killed_training_process_is_tried_again(job, tmp_path) -> None:
    waiting = after(job, tmp_path / "spec.json", kill=True)
    assert (waiting.state, waiting.attempts, waiting.error["code"]) == ("queued", 1, "worker_lost")
    assert "signal 9" in waiting.error["detail"]


def test_a_training_that_cannot_work_is_not(job, tmp_path) -> None:
    ended = after(job, tmp_path / "no-such-spec.json", kill=False)
    assert (ended.state, ended.error["code"]) == ("failed", "training_failed")
    assert "exit status 1" in ended.error["detail"]
